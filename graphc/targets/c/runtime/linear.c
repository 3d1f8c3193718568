/* The product of a row and a column, in eight sums, which vectorises. */
static inline real gc_dot(ptrdiff_t k, const real *a, ptrdiff_t a_step, const real *b,
                              ptrdiff_t b_step) {
    real sums[8] = {0};
    ptrdiff_t p = 0;
    if (a_step == 1 && b_step == 1)
        for (; p + 8 <= k; p += 8)
            for (int lane = 0; lane < 8; lane++)
                sums[lane] += a[p + lane] * b[p + lane];
    else
        for (; p + 8 <= k; p += 8)
            for (int lane = 0; lane < 8; lane++)
                sums[lane] += a[(p + lane) * a_step] * b[(p + lane) * b_step];
    for (int lane = 0; p < k; p++, lane++)
        sums[lane] += a[p * a_step] * b[p * b_step];
    return ((sums[0] + sums[4]) + (sums[2] + sums[6])) + ((sums[1] + sums[5]) + (sums[3] + sums[7]));
}

/* Numbers side by side, as many as go into one instruction, where the compiler knows such. */
#if defined(__GNUC__) && defined(__AVX__)
typedef real gc_lanes __attribute__((vector_size(32)));
#elif defined(__GNUC__)
typedef real gc_lanes __attribute__((vector_size(16)));
#else
typedef real gc_lanes;
#endif

/* A tile has 4 rows and so many columns: its sums are 12 registers of 16. A strip has so many terms. */
enum { gc_lane = sizeof(gc_lanes) / sizeof(real), gc_width = 3 * gc_lane, gc_depth = 128 };

/* A tile of the product onto c: up to 4 rows of a, and of b a strip of columns that lie together. */
static inline void gc_matmul_tile(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t k, const real *a,
                                  ptrdiff_t a_row, ptrdiff_t a_column, const real *strip,
                                  ptrdiff_t strip_row, real *c, ptrdiff_t c_row, int first) {
    const real *a0 = a, *a1 = rows > 1 ? a0 + a_row : a0;
    const real *a2 = rows > 2 ? a1 + a_row : a1, *a3 = rows > 3 ? a2 + a_row : a2;
    gc_lanes s00 = {0}, s01 = {0}, s02 = {0}, s10 = {0}, s11 = {0}, s12 = {0};
    gc_lanes s20 = {0}, s21 = {0}, s22 = {0}, s30 = {0}, s31 = {0}, s32 = {0};
    for (ptrdiff_t p = 0; p < k; p++, strip += strip_row) {
        gc_lanes y0, y1, y2;
        memcpy(&y0, strip, sizeof y0);
        memcpy(&y1, strip + gc_lane, sizeof y1);
        memcpy(&y2, strip + 2 * gc_lane, sizeof y2);
        real x = a0[p * a_column];
        s00 += x * y0, s01 += x * y1, s02 += x * y2;
        x = a1[p * a_column];
        s10 += x * y0, s11 += x * y1, s12 += x * y2;
        x = a2[p * a_column];
        s20 += x * y0, s21 += x * y1, s22 += x * y2;
        x = a3[p * a_column];
        s30 += x * y0, s31 += x * y1, s32 += x * y2;
    }
    gc_lanes sums[12] = {s00, s01, s02, s10, s11, s12, s20, s21, s22, s30, s31, s32};
    real found[4 * gc_width];
    memcpy(found, sums, sizeof found);
    if (first && columns == gc_width) {
        for (ptrdiff_t i = 0; i < rows; i++)
            memcpy(c + i * c_row, found + i * gc_width, gc_width * sizeof(real));
        return;
    }
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = (first ? R(0.0) : c[i * c_row + j]) + found[i * gc_width + j];
}

/* The same of up to 8 rows and one register of columns, where few are left. */
static inline void gc_matmul_edge(ptrdiff_t rows, ptrdiff_t columns, ptrdiff_t k, const real *a,
                                  ptrdiff_t a_row, ptrdiff_t a_column, const real *strip,
                                  ptrdiff_t strip_row, real *c, ptrdiff_t c_row, int first) {
    const real *a0 = a, *a1 = rows > 1 ? a0 + a_row : a0;
    const real *a2 = rows > 2 ? a1 + a_row : a1, *a3 = rows > 3 ? a2 + a_row : a2;
    const real *a4 = rows > 4 ? a3 + a_row : a3, *a5 = rows > 5 ? a4 + a_row : a4;
    const real *a6 = rows > 6 ? a5 + a_row : a5, *a7 = rows > 7 ? a6 + a_row : a6;
    gc_lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, s6 = {0}, s7 = {0};
    for (ptrdiff_t p = 0; p < k; p++, strip += strip_row) {
        gc_lanes y;
        memcpy(&y, strip, sizeof y);
        s0 += a0[p * a_column] * y, s1 += a1[p * a_column] * y;
        s2 += a2[p * a_column] * y, s3 += a3[p * a_column] * y;
        s4 += a4[p * a_column] * y, s5 += a5[p * a_column] * y;
        s6 += a6[p * a_column] * y, s7 += a7[p * a_column] * y;
    }
    gc_lanes sums[8] = {s0, s1, s2, s3, s4, s5, s6, s7};
    real found[8 * gc_lane];
    memcpy(found, sums, sizeof found);
    for (ptrdiff_t i = 0; i < rows; i++)
        for (ptrdiff_t j = 0; j < columns; j++)
            c[i * c_row + j] = (first ? R(0.0) : c[i * c_row + j]) + found[i * gc_lane + j];
}

/* Copy a strip of b, columns at equal distances, to lie together; zeros in the place of further ones. */
static inline void gc_matmul_strip(ptrdiff_t width, ptrdiff_t columns, ptrdiff_t k, const real *b,
                                   ptrdiff_t b_row, ptrdiff_t b_column, real *strip) {
    if (columns < width)
        memset(strip, 0, (size_t)(k * width) * sizeof(real));
    if (b_column == 1 && columns == gc_width)
        for (ptrdiff_t p = 0; p < k; p++)
            memcpy(strip + p * width, b + p * b_row, gc_width * sizeof(real));
    else if (b_column == 1)
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t j = 0; j < columns; j++)
                strip[p * width + j] = b[p * b_row + j];
    else
        for (ptrdiff_t j = 0; j < columns; j++)
            for (ptrdiff_t p = 0; p < k; p++)
                strip[p * width + j] = b[p * b_row + j * b_column];
}

/* c = a b for m rows, n columns and k terms: tiles that stay in registers, over a strip of b that is
   copied to lie together (Goto and van de Geijn, ACM TOMS 34, 2008). c's rows are contiguous. */
static gc_once void gc_matmul(ptrdiff_t m, ptrdiff_t n, ptrdiff_t k, const real *a,
                              ptrdiff_t a_row, ptrdiff_t a_column, const real *b, ptrdiff_t b_row,
                              ptrdiff_t b_column, real *c, ptrdiff_t c_row) {
    real strip[gc_depth * gc_width];
    if (n == 1 || (m == 1 && b_column != 1)) {
        for (ptrdiff_t i = 0; i < m; i++)
            for (ptrdiff_t j = 0; j < n; j++)
                c[i * c_row + j] = gc_dot(k, a + i * a_row, a_column, b + j * b_column, b_row);
        return;
    }
    if (m == 1 || k == 0) {
        for (ptrdiff_t i = 0; i < m; i++)
            for (ptrdiff_t j = 0; j < n; j++)
                c[i * c_row + j] = R(0.0);
        for (ptrdiff_t p = 0; p < k; p++)
            for (ptrdiff_t j = 0; j < n; j++)
                c[j] += a[p * a_column] * b[p * b_row + j];
        return;
    }
    for (ptrdiff_t start = 0; start < k; start += gc_depth) {
        ptrdiff_t depth = k - start < gc_depth ? k - start : gc_depth;
        for (ptrdiff_t j = 0, width; j < n; j += width) {
            width = n - j > 2 * gc_lane ? gc_width : gc_lane;
            ptrdiff_t columns = n - j < width ? n - j : width, high = width == gc_width ? 4 : 8;
            const real *from = b + start * b_row + j * b_column;
            int together = b_column == 1 && columns == width && m <= 16;
            const real *used = together ? from : strip;
            ptrdiff_t used_row = together ? b_row : width;
            if (!together)
                gc_matmul_strip(width, columns, depth, from, b_row, b_column, strip);
            for (ptrdiff_t i = 0; i < m; i += high) {
                ptrdiff_t rows = m - i < high ? m - i : high;
                const real *left = a + i * a_row + start * a_column;
                real *to = c + i * c_row + j;
                if (width == gc_width)
                    gc_matmul_tile(rows, columns, depth, left, a_row, a_column, used, used_row, to,
                                   c_row, start == 0);
                else
                    gc_matmul_edge(rows, columns, depth, left, a_row, a_column, used, used_row, to,
                                   c_row, start == 0);
            }
        }
    }
}

/* The lower triangular y with y yT = x, of which the lower triangle is read; a status. */
static int gc_cholesky(ptrdiff_t n, const real *x, real *y) {
    for (ptrdiff_t i = 0; i < n; i++) {
        for (ptrdiff_t j = 0; j <= i; j++) {
            real rest = x[i * n + j] - gc_dot(j, y + i * n, 1, y + j * n, 1);
            if (i > j)
                y[i * n + j] = rest / y[j * n + j];
            else if (!(rest <= R(0.0)))
                y[i * n + i] = M(sqrt)(rest);
            else
                return DEFINITE;
        }
        for (ptrdiff_t j = i + 1; j < n; j++)
            y[i * n + j] = R(0.0);
    }
    return 0;
}

/* Swap two rows. */
static inline void gc_swap_rows(ptrdiff_t n, real *one, real *other) {
    for (ptrdiff_t j = 0; j < n; j++) {
        real kept = one[j];
        one[j] = other[j];
        other[j] = kept;
    }
}

/* Swap two columns. */
static inline void gc_swap_columns(ptrdiff_t n, real *one, real *other) {
    for (ptrdiff_t i = 0; i < n; i++) {
        real kept = one[i * n];
        one[i * n] = other[i * n];
        other[i * n] = kept;
    }
}

/* Factor x = P L U in place, with the rows of y moved alike, and L undone in them (Golub and Van Loan,
   Matrix Computations, alg. 3.4.1); the sign of P. A column of zeros is left as it is. */
static real gc_eliminate(ptrdiff_t n, real *x, ptrdiff_t columns, real *y) {
    real sign = R(1.0);
    for (ptrdiff_t k = 0; k < n; k++) {
        ptrdiff_t best = k;
        for (ptrdiff_t i = k + 1; i < n; i++)
            if (M(fabs)(x[i * n + k]) > M(fabs)(x[best * n + k]))
                best = i;
        if (best != k) {
            gc_swap_rows(n, x + k * n, x + best * n);
            gc_swap_rows(columns, y + k * columns, y + best * columns);
            sign = -sign;
        }
        if (x[k * n + k] == R(0.0))
            continue;
        for (ptrdiff_t i = k + 1; i < n; i++) {
            real factor = x[i * n + k] / x[k * n + k];
            for (ptrdiff_t j = k + 1; j < n; j++)
                x[i * n + j] -= factor * x[k * n + j];
            for (ptrdiff_t j = 0; j < columns; j++)
                y[i * columns + j] -= factor * y[k * columns + j];
        }
    }
    return sign;
}

/* Solve a y = b for so many columns, b in y before, by the elimination of a in place; a status. */
static int gc_solve_in_place(ptrdiff_t n, ptrdiff_t columns, real *a, real *y) {
    gc_eliminate(n, a, columns, y);
    for (ptrdiff_t k = 0; k < n; k++)
        if (a[k * n + k] == R(0.0))
            return SINGULAR;
    for (ptrdiff_t i = n - 1; i >= 0; i--)
        for (ptrdiff_t j = 0; j < columns; j++) {
            real rest = y[i * columns + j];
            for (ptrdiff_t k = i + 1; k < n; k++)
                rest -= a[i * n + k] * y[k * columns + j];
            y[i * columns + j] = rest / a[i * n + i];
        }
    return 0;
}

/* y with a y = b for so many columns; a status. Scratch: n * n. */
static int gc_solve(ptrdiff_t n, ptrdiff_t columns, const real *a, const real *b, real *y,
                        real *scratch) {
    memcpy(scratch, a, (size_t)(n * n) * sizeof(real));
    memmove(y, b, (size_t)(n * columns) * sizeof(real));
    return gc_solve_in_place(n, columns, scratch, y);
}

/* The inverse y of x; a status. Scratch: n * n. */
static int gc_inv(ptrdiff_t n, const real *x, real *y, real *scratch) {
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    for (ptrdiff_t i = 0; i < n; i++)
        for (ptrdiff_t j = 0; j < n; j++)
            y[i * n + j] = i == j ? R(1.0) : R(0.0);
    return gc_solve_in_place(n, n, scratch, y);
}

/* The determinant of x. Scratch: n * n. */
static real gc_det(ptrdiff_t n, const real *x, real *scratch) {
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    real found = gc_eliminate(n, scratch, 0, scratch);
    for (ptrdiff_t k = 0; k < n; k++)
        found *= scratch[k * n + k];
    return found;
}

/* log|det x|, without overflow. Scratch: n * n. */
static real gc_logdet(ptrdiff_t n, const real *x, real *scratch) {
    memcpy(scratch, x, (size_t)(n * n) * sizeof(real));
    gc_eliminate(n, scratch, 0, scratch);
    real found = R(0.0);
    for (ptrdiff_t k = 0; k < n; k++)
        found += M(log)(M(fabs)(scratch[k * n + k]));
    return found;
}
