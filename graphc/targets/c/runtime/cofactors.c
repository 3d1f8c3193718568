/* Factor x = P L D W Q in place, with complete pivoting (Golub and Van Loan, Matrix Computations,
   3.4.8): D on the diagonal, L below it, W above it, both with ones on their own. What is swapped is
   kept in rows and columns. D has zeros, all of them last, where x is singular. The sign of P Q. */
static real gc_factor_fully(ptrdiff_t n, real *x, real *rows, real *columns) {
    real sign = R(1.0);
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t row = k, column = k;
        for (ptrdiff_t i = k; i < n; i++)
            for (ptrdiff_t j = k; j < n; j++)
                if (M(fabs)(x[i * n + j]) > M(fabs)(x[row * n + column])) {
                    row = i;
                    column = j;
                }
        rows[k] = (real)row;
        columns[k] = (real)column;
        if (row != k)
            gc_swap_rows(n, x + k * n, x + row * n);
        if (column != k)
            gc_swap_columns(n, x + k, x + column);
        sign = (row != k) != (column != k) ? -sign : sign;
        real pivot = x[k * n + k];
        if (pivot == R(0.0))
            continue;
        for (ptrdiff_t i = k + 1; i < n; i++) {
            x[i * n + k] /= pivot;
            for (ptrdiff_t j = k + 1; j < n; j++)
                x[i * n + j] -= x[i * n + k] * x[k * n + j];
        }
        for (ptrdiff_t j = k + 1; j < n; j++)
            x[k * n + j] /= pivot;
    }
    return sign;
}

/* y becomes P L^-T y W^-T Q, which takes the cofactors of D to those of P L D W Q, but for a sign. */
static void gc_turn_back(ptrdiff_t n, const real *x, const real *rows, const real *columns,
                             real *y) {
    for (ptrdiff_t i = n - 1; i >= 0; i--)
        for (ptrdiff_t k = i + 1; k < n; k++)
            for (ptrdiff_t j = 0; j < n; j++)
                y[i * n + j] -= x[k * n + i] * y[k * n + j];
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = n - 1; j >= 0; j--)
            for (ptrdiff_t k = j + 1; k < n; k++)
                y[i * n + j] -= y[i * n + k] * x[j * n + k];
    for (ptrdiff_t k = n - 1; k >= 0; k--) {
        ptrdiff_t row = (ptrdiff_t)rows[k], column = (ptrdiff_t)columns[k];
        if (row != k)
            gc_swap_rows(n, y + k * n, y + row * n);
        if (column != k)
            gc_swap_columns(n, y + k, y + column);
    }
}

/* y becomes L^-1 P^-1 y Q^-1 W^-1: a change of x as a change of D. */
static void gc_turn_in(ptrdiff_t n, const real *x, const real *rows, const real *columns,
                           real *y) {
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t row = (ptrdiff_t)rows[k], column = (ptrdiff_t)columns[k];
        if (row != k)
            gc_swap_rows(n, y + k * n, y + row * n);
        if (column != k)
            gc_swap_columns(n, y + k, y + column);
    }
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t k = 0; k < i; k++)
            for (ptrdiff_t j = 0; j < n; j++)
                y[i * n + j] -= x[i * n + k] * y[k * n + j];
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            for (ptrdiff_t k = 0; k < j; k++)
                y[i * n + j] -= y[i * n + k] * x[k * n + j];
}

/* Is each of so many numbers finite? */
static inline int gc_all_finite(ptrdiff_t count, const real *x) {
    int found = 1;
    for (ptrdiff_t i = 0; i < count; i++)
        found &= M(fabs)(x[i]) <= LARGEST;
    return found;
}

/* The product of the diagonal of x, without two of its elements. */
static inline real gc_others(ptrdiff_t n, const real *x, ptrdiff_t i, ptrdiff_t j) {
    real found = R(1.0);
    for (ptrdiff_t k = 0; k < n; k++)
        found *= k == i || k == j ? R(1.0) : x[k * n + k];
    return found;
}

/* The cofactors y of x, of every rank: with x = P L D W Q they are det(P Q) P L^-T cof(D) W^-T Q.
   Of what is not finite nan. Scratch: n * n + 2 * n. */
static void gc_cofactors(ptrdiff_t n, const real *x, real *y, real *scratch) {
    real *rows = scratch + n * n, *columns = rows + n;
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    real sign = gc_all_finite(n * n, x) ? gc_factor_fully(n, scratch, rows, columns) : NAN;
    for (ptrdiff_t i = 0; i < n * n; i++)
        y[i] = sign == sign ? R(0.0) : NAN;
    if (sign != sign)
        return;
    for (ptrdiff_t i = 0; i < n; i++)
        y[i * n + i] = sign * gc_others(n, scratch, i, i);
    gc_turn_back(n, scratch, rows, columns, y);
}

/* The derivative y of the cofactors of x along a matrix, of every rank: with x = P L D W Q and
   m = L^-1 P^-1 along Q^-1 W^-1 it is det(P Q) P L^-T c W^-T Q, where c[i, i] is the sum of
   p[i, k] m[k, k], c[i, j] = -p[i, j] m[j, i], and p[i, j] is the product of the others of D. Of what
   is not finite nan. Scratch: 2 * n * n + 2 * n. */
static void gc_minors(ptrdiff_t n, const real *x, const real *along, real *y, real *scratch) {
    real *inner = scratch + n * n, *rows = inner + n * n, *columns = rows + n;
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    memcpy(inner, along, (size_t)(n * n) * sizeof(real));
    real sign = gc_all_finite(n * n, x) ? gc_factor_fully(n, scratch, rows, columns) : NAN;
    for (ptrdiff_t i = 0; i < n * n; i++)
        y[i] = sign == sign ? R(0.0) : NAN;
    if (sign != sign)
        return;
    gc_turn_in(n, scratch, rows, columns, inner);
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++) {
            if (i == j)
                continue;
            real others = sign * gc_others(n, scratch, i, j);
            y[i * n + j] = -others * inner[j * n + i];
            y[i * n + i] += others * inner[j * n + j];
        }
    gc_turn_back(n, scratch, rows, columns, y);
}
