/* Turn two rows by an angle, of which c is the cosine and s the sine. */
static inline void gc_turn_rows(ptrdiff_t n, real *one, real *other, real c, real s) {
    for (ptrdiff_t j = 0; j < n; j++) {
        real first = one[j], second = other[j];
        one[j] = c * first - s * second;
        other[j] = s * first + c * second;
    }
}

/* The tangent of the smaller angle t with t * t + 2 ratio t = 1 (Golub and Van Loan, Matrix
   Computations, alg. 8.5.1). */
static inline real gc_turn(real ratio) {
    real size = M(fabs)(ratio);
    real t = R(1.0) / (size + M(hypot)(R(1.0), size));
    return ratio < R(0.0) ? -t : t;
}

/* Bring w in order, the least first, with rows of u and v that belong to it. */
static void gc_order_rows(ptrdiff_t n, real *w, ptrdiff_t columns, real *v, ptrdiff_t others,
                          real *u) {
    for (ptrdiff_t i = 0; i < n; i++) {
        ptrdiff_t best = i;
        for (ptrdiff_t k = i + 1; k < n; k++)
            best = w[k] < w[best] ? k : best;
        real kept = w[i];
        w[i] = w[best];
        w[best] = kept;
        if (best != i) {
            gc_swap_rows(columns, v + i * columns, v + best * columns);
            gc_swap_rows(others, u + i * others, u + best * others);
        }
    }
}

/* The eigenvalues w of a symmetric a, which is lost, and orthonormal eigenvectors as the first
   `columns` of the rows of v, by Jacobi's rotations (Golub and Van Loan, alg. 8.5.2) until what is
   beside the diagonal is beneath rounding; nan where a has such. */
static void gc_jacobi(ptrdiff_t n, real *a, real *w, ptrdiff_t columns, real *v) {
    real scale = R(0.0);
    for (ptrdiff_t i = 0; i < n * n; i++)
        scale = gc_maximum(scale, M(fabs)(a[i]));
    real whole = scale <= LARGEST ? R(1.0) : (real)NAN;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            v[i * columns + j] = i == j ? whole : R(0.0) * whole;
    for (int sweep = 0, turned = whole == whole; turned && sweep < 60; sweep++) {
        turned = 0;
        for (ptrdiff_t p = 0; p < n; p++)
            for (ptrdiff_t q = p + 1; q < n; q++) {
                real beside = a[p * n + q], size = M(fabs)(beside);
                real first = M(fabs)(a[p * n + p]), second = M(fabs)(a[q * n + q]);
                if (first + size == first && second + size == second)
                    continue;
                turned = 1;
                real t = gc_turn((a[q * n + q] - a[p * n + p]) / (R(2.0) * beside));
                real c = R(1.0) / M(sqrt)(t * t + R(1.0)), s = t * c;
                real low = a[p * n + p] - t * beside, high = a[q * n + q] + t * beside;
                gc_turn_rows(n, a + p * n, a + q * n, c, s);
                for (ptrdiff_t k = 0; k < n; k++) {
                    a[k * n + p] = a[p * n + k];
                    a[k * n + q] = a[q * n + k];
                }
                a[p * n + p] = low;
                a[q * n + q] = high;
                a[p * n + q] = a[q * n + p] = R(0.0);
                gc_turn_rows(columns, v + p * columns, v + q * columns, c, s);
            }
    }
    for (ptrdiff_t i = 0; i < n; i++)
        w[i] = a[i * n + i] * whole;
    gc_order_rows(n, w, columns, v, 0, v);
}

/* The eigenvalues w of a symmetric x, the least first. Scratch: n * n. */
static void gc_eigvalsh(ptrdiff_t n, const real *x, real *w, real *scratch) {
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    gc_jacobi(n, scratch, w, 0, scratch);
}

/* Orthonormal eigenvectors of a symmetric x as the columns of y. Scratch: 2 n * n + n. */
static void gc_eigenvectors(ptrdiff_t n, const real *x, real *y, real *scratch) {
    real *v = scratch + n * n, *w = v + n * n;
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    gc_jacobi(n, scratch, w, n, v);
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            y[i * n + j] = v[j * n + i];
}

/* 1 / (w[j] - w[i]) for all pairs, 0 for one with itself; of two that are equal but for rounding 0,
   or nan. */
static void gc_inverse_gaps(ptrdiff_t n, int strict, const real *w, real *y) {
    real largest = R(0.0);
    for (ptrdiff_t i = 0; i < n; i++)
        largest = gc_maximum(largest, M(fabs)(w[i]));
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            real gap = w[j] - w[i];
            int apart = !(M(fabs)(gap) <= (real)n * ROUNDING * largest);
            y[i * n + j] = apart ? R(1.0) / gap : strict && i != j ? (real)NAN : R(0.0);
            if (i == j)
                y[i * n + j] = R(0.0);
        }
}

/* Of so many orthonormal rows of u, the others where they are known: what is left of the unit vector
   that is the furthest from their span, of length 1. */
static void gc_complete(ptrdiff_t n, ptrdiff_t count, const real *s, ptrdiff_t row, real *u) {
    real *to = u + row * n;
    for (ptrdiff_t unit = 0; unit < n; unit++) {
        for (ptrdiff_t j = 0; j < n; j++)
            to[j] = j == unit ? R(1.0) : R(0.0);
        for (int again = 0; again < 2; again++)
            for (ptrdiff_t k = 0; k < count; k++)
                if (k < row || (k != row && s[k] != R(0.0))) {
                    real part = gc_dot(n, u + k * n, 1, to, 1);
                    for (ptrdiff_t j = 0; j < n; j++)
                        to[j] -= part * u[k * n + j];
                }
        real size = gc_dot(n, to, 1, to, 1);
        if (size * (real)(2 * n) >= R(1.0)) {
            for (ptrdiff_t j = 0; j < n; j++)
                to[j] /= M(sqrt)(size);
            return;
        }
    }
}

/* Singular values s of x, m by n, the largest first, with k of them; orthonormal vectors of the longer
   side as rows of u, of the shorter one as rows of v. Rotations of pairs of columns until they are
   orthogonal (Hestenes, J. SIAM 6, 1958; Golub and Van Loan, 8.6.3); a status. */
static int gc_svd(ptrdiff_t m, ptrdiff_t n, const real *x, real *s, real *u, real *v) {
    ptrdiff_t k = m < n ? m : n, size = m < n ? n : m;
    real largest = R(0.0);
    for (ptrdiff_t i = 0; i < m * n; i++) {
        if (!(M(fabs)(x[i]) <= LARGEST))
            return FINITE;
        largest = M(fabs)(x[i]) > largest ? M(fabs)(x[i]) : largest;
    }
    int power = 0;
    (void)M(frexp)(largest, &power);
    for (ptrdiff_t i = 0; i < k; i++) {
        for (ptrdiff_t j = 0; j < size; j++)
            u[i * size + j] = M(ldexp)(m < n ? x[i * n + j] : x[j * n + i], -power);
        for (ptrdiff_t j = 0; j < k; j++)
            v[i * k + j] = i == j ? R(1.0) : R(0.0);
    }
    for (int sweep = 0, turned = 1; turned && sweep < 60; sweep++) {
        turned = 0;
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t q = p + 1; q < k; q++) {
                real *one = u + p * size, *other = u + q * size;
                real first = gc_dot(size, one, 1, one, 1), second = gc_dot(size, other, 1, other, 1);
                real both = gc_dot(size, one, 1, other, 1);
                if (M(fabs)(both) <= ROUNDING * M(sqrt)(first) * M(sqrt)(second))
                    continue;
                turned = 1;
                real t = gc_turn((second - first) / (R(2.0) * both));
                real c = R(1.0) / M(sqrt)(t * t + R(1.0));
                gc_turn_rows(size, one, other, c, t * c);
                gc_turn_rows(k, v + p * k, v + q * k, c, t * c);
            }
    }
    for (ptrdiff_t i = 0; i < k; i++)
        s[i] = -M(sqrt)(gc_dot(size, u + i * size, 1, u + i * size, 1));
    gc_order_rows(k, s, size, u, k, v);
    for (ptrdiff_t i = 0; i < k; i++)
        for (ptrdiff_t j = 0; j < size && s[i] != R(0.0); j++)
            u[i * size + j] /= -s[i];
    for (ptrdiff_t i = 0; i < k; i++)
        if (s[i] == R(0.0))
            gc_complete(size, k, s, i, u);
    for (ptrdiff_t i = 0; i < k; i++)
        s[i] = s[i] == R(0.0) ? R(0.0) : M(ldexp)(-s[i], power);
    return 0;
}

/* Singular values of x, m by n, the largest first; a status. Scratch: 2 m * n. */
static int gc_svdvals(ptrdiff_t m, ptrdiff_t n, const real *x, real *s, real *scratch) {
    return gc_svd(m, n, x, s, scratch, scratch + m * n);
}

/* The left singular vectors of x, m by n, and below them the right ones, as columns; a status.
   Scratch: 2 m * n + m. */
static int gc_singular_vectors(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *scratch) {
    ptrdiff_t k = m < n ? m : n;
    real *u = scratch, *v = scratch + m * n, *s = v + m * n;
    int status = gc_svd(m, n, x, s, u, v);
    const real *left = m < n ? v : u, *right = m < n ? u : v;
    for (ptrdiff_t i = 0; i < k && !status; i++) {
        for (ptrdiff_t j = 0; j < m; j++)
            y[j * k + i] = left[i * m + j];
        for (ptrdiff_t j = 0; j < n; j++)
            y[(m + j) * k + i] = right[i * n + j];
    }
    return status;
}

/* The pseudo-inverse y of x, m by n: singular values are zero where rounding would make them as large;
   a status. Scratch: 2 m * n + m. */
static int gc_pinv(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *scratch) {
    ptrdiff_t k = m < n ? m : n, size = m < n ? n : m;
    real *u = scratch, *v = scratch + m * n, *s = v + m * n;
    int status = gc_svd(m, n, x, s, u, v);
    if (status)
        return status;
    const real *left = m < n ? v : u, *right = m < n ? u : v;
    memset(y, 0, (size_t)(m * n) * sizeof(real));
    for (ptrdiff_t i = 0; i < k; i++) {
        if (!(s[i] > (real)size * ROUNDING * s[0]))
            continue;
        for (ptrdiff_t r = 0; r < n; r++) {
            real factor = right[i * n + r] / s[i];
            for (ptrdiff_t c = 0; c < m; c++)
                y[r * m + c] += factor * left[i * m + c];
        }
    }
    return 0;
}

/* Orthonormal columns y that span the first columns of x, m by n with m >= n, one after the other:
   Householder's reflections, with the signs of LAPACK (Golub and Van Loan, alg. 5.2.1 and 5.1.6; a
   reflection takes its column to the side of -x). Scratch: m * n + n. */
static void gc_orthonormal(ptrdiff_t m, ptrdiff_t n, const real *x, real *y, real *scratch) {
    real *tau = scratch + m * n;
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < m; j++)
            scratch[i * m + j] = x[j * n + i];
    for (ptrdiff_t i = 0; i < n; i++) {
        real *v = scratch + i * m + i, largest = R(0.0), size = R(0.0);
        for (ptrdiff_t j = 1; j < m - i; j++)
            largest = gc_maximum(largest, M(fabs)(v[j]));
        tau[i] = R(0.0);
        if (largest != R(0.0)) {
            for (ptrdiff_t j = 1; j < m - i; j++)
                size += (v[j] / largest) * (v[j] / largest);
            size = M(hypot)(v[0], largest * M(sqrt)(size));
            real to = v[0] < R(0.0) ? size : -size;
            tau[i] = (to - v[0]) / to;
            for (ptrdiff_t j = 1; j < m - i; j++)
                v[j] /= v[0] - to;
        }
        v[0] = R(1.0);
        for (ptrdiff_t k = i + 1; k < n; k++) {
            real *other = scratch + k * m + i;
            real part = tau[i] * gc_dot(m - i, v, 1, other, 1);
            for (ptrdiff_t j = 0; j < m - i; j++)
                other[j] -= part * v[j];
        }
    }
    for (ptrdiff_t j = 0; j < m; j++)
        for (ptrdiff_t k = 0; k < n; k++)
            y[j * n + k] = j == k ? R(1.0) : R(0.0);
    for (ptrdiff_t i = n - 1; i >= 0; i--)
        for (ptrdiff_t k = i; k < n; k++) {
            const real *v = scratch + i * m + i;
            real part = tau[i] * gc_dot(m - i, v, 1, y + i * n + k, n);
            for (ptrdiff_t j = 0; j < m - i; j++)
                y[(i + j) * n + k] -= part * v[j];
        }
}

/* y = a polynomial of the powers b, c and d of a matrix, by element, and of 1. */
static void gc_combine(ptrdiff_t n, const real *b, real of_b, const real *c, real of_c,
                       const real *d, real of_d, real of_one, real *y) {
    for (ptrdiff_t i = 0; i < n * n; i++)
        y[i] = of_d * d[i] + of_c * c[i] + of_b * b[i];
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * n + i] += of_one;
}

/* y = a b of square matrices. */
static inline void gc_square_product(ptrdiff_t n, const real *a, const real *b, real *y) {
    gc_matmul(n, n, n, a, n, 1, b, n, 1, y, n);
}

/* The exponential y of x: scaled until a Pade approximant of degree 13 is exact but for rounding, and
   squared as often (Higham, SIAM J. Matrix Anal. Appl. 26, 2005, algorithm 2.3, in which theta_13 is
   5.37); a status. Scratch: 7 n * n. */
static int gc_expm(ptrdiff_t n, const real *x, real *y, real *scratch) {
    real *a = scratch, *a2 = a + n * n, *a4 = a2 + n * n, *a6 = a4 + n * n;
    real *odd = a6 + n * n, *even = odd + n * n, *part = even + n * n, size = R(0.0);
    for (ptrdiff_t j = 0; j < n; j++) {
        real total = R(0.0);
        for (ptrdiff_t i = 0; i < n; i++)
            total += M(fabs)(x[i * n + j]);
        size = gc_maximum(size, total);
    }
    real ratio = size <= LARGEST ? size / R(5.371920351148152) : R(0.0);
    int powers = ratio > R(1.0) ? (int)M(ceil)(M(log2)(ratio)) : 0;
    for (ptrdiff_t i = 0; i < n * n; i++)
        a[i] = M(ldexp)(x[i], -powers);
    gc_square_product(n, a, a, a2);
    gc_square_product(n, a2, a2, a4);
    gc_square_product(n, a2, a4, a6);
    gc_combine(n, a2, R(40840800.0), a4, R(16380.0), a6, R(1.0), R(0.0), part);
    gc_square_product(n, a6, part, odd);
    gc_combine(n, a2, R(1187353796428800.0), a4, R(10559470521600.0), a6, R(33522128640.0),
               R(32382376266240000.0), part);
    for (ptrdiff_t i = 0; i < n * n; i++)
        part[i] += odd[i];
    gc_square_product(n, a, part, odd);
    gc_combine(n, a2, R(1323241920.0), a4, R(960960.0), a6, R(182.0), R(0.0), part);
    gc_square_product(n, a6, part, even);
    gc_combine(n, a2, R(7771770303897600.0), a4, R(129060195264000.0), a6, R(670442572800.0),
               R(64764752532480000.0), part);
    for (ptrdiff_t i = 0; i < n * n; i++) {
        even[i] += part[i];
        part[i] = even[i] - odd[i];
        y[i] = even[i] + odd[i];
    }
    int status = gc_solve_in_place(n, n, part, y);
    for (int power = 0; power < powers && !status; power++) {
        memcpy(part, y, (size_t)(n * n) * sizeof(real));
        gc_square_product(n, part, part, y);
    }
    return status;
}

/* How the exponential of x moves along a matrix e: the corner of that of [[x, e], [0, x]] (Higham,
   Functions of Matrices, 2008, eq. 10.43), of e of the size of 1; a status. Scratch: 36 n * n. */
static int gc_moved_expm(ptrdiff_t n, const real *x, const real *along, real *y, real *scratch) {
    ptrdiff_t two = 2 * n;
    real *block = scratch, *whole = block + two * two, size = R(0.0);
    for (ptrdiff_t i = 0; i < n * n; i++)
        size = gc_maximum(size, M(fabs)(along[i]));
    size = size > R(0.0) && size <= LARGEST ? size : R(1.0);
    memset(block, 0, (size_t)(two * two) * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            block[i * two + j] = block[(n + i) * two + n + j] = x[i * n + j];
            block[i * two + n + j] = along[i * n + j] / size;
        }
    int status = gc_expm(two, block, whole, whole + two * two);
    for (ptrdiff_t i = 0; i < n && !status; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            y[i * n + j] = whole[i * two + n + j] * size;
    return status;
}
