/* Does x come before y in order? nan comes last. */
static inline int gc_before(real x, real y) {
    return x < y || (y != y && x == x);
}

/* The order of n elements at equal distances, equal ones as they stand: merges of runs of double
   length (Knuth, The Art of Computer Programming, vol. 3, 5.2.4). Scratch: 2 * n integers. */
static void gc_argsort(ptrdiff_t n, const real *x, ptrdiff_t step, int64_t *order,
                        ptrdiff_t order_step, int64_t *scratch) {
    int64_t *from = scratch, *to = scratch + n;
    for (ptrdiff_t i = 0; i < n; i++)
        from[i] = i;
    for (ptrdiff_t length = 1; length < n; length *= 2) {
        for (ptrdiff_t start = 0; start < n; start += 2 * length) {
            ptrdiff_t middle = n - start < length ? n : start + length;
            ptrdiff_t end = n - start < 2 * length ? n : start + 2 * length;
            ptrdiff_t left = start, right = middle;
            for (ptrdiff_t k = start; k < end; k++) {
                int other = left == middle ||
                            (right < end && gc_before(x[from[right] * step], x[from[left] * step]));
                to[k] = other ? from[right++] : from[left++];
            }
        }
        int64_t *kept = from;
        from = to;
        to = kept;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        order[i * order_step] = from[i];
}

/* The same of integers. */
static void gc_argsort_int(ptrdiff_t n, const int64_t *x, ptrdiff_t step, int64_t *order,
                            ptrdiff_t order_step, int64_t *scratch) {
    int64_t *from = scratch, *to = scratch + n;
    for (ptrdiff_t i = 0; i < n; i++)
        from[i] = i;
    for (ptrdiff_t length = 1; length < n; length *= 2) {
        for (ptrdiff_t start = 0; start < n; start += 2 * length) {
            ptrdiff_t middle = n - start < length ? n : start + length;
            ptrdiff_t end = n - start < 2 * length ? n : start + 2 * length;
            ptrdiff_t left = start, right = middle;
            for (ptrdiff_t k = start; k < end; k++) {
                int other =
                    left == middle || (right < end && x[from[right] * step] < x[from[left] * step]);
                to[k] = other ? from[right++] : from[left++];
            }
        }
        int64_t *kept = from;
        from = to;
        to = kept;
    }
    for (ptrdiff_t i = 0; i < n; i++)
        order[i * order_step] = from[i];
}

/* By element of x how many of the table, which is in order, stand before it, equal ones too on the
   right. */
static void gc_searchsorted(ptrdiff_t n, const real *table, ptrdiff_t size, const real *x,
                            ptrdiff_t right, int64_t *y) {
    for (ptrdiff_t i = 0; i < size; i++) {
        ptrdiff_t low = 0, high = n;
        while (low < high) {
            ptrdiff_t middle = low + (high - low) / 2;
            int before = right ? !gc_before(x[i], table[middle]) : gc_before(table[middle], x[i]);
            if (before)
                low = middle + 1;
            else
                high = middle;
        }
        y[i] = low;
    }
}

/* The same of integers. */
static void gc_searchsorted_int(ptrdiff_t n, const int64_t *table, ptrdiff_t size, const int64_t *x,
                                ptrdiff_t right, int64_t *y) {
    for (ptrdiff_t i = 0; i < size; i++) {
        ptrdiff_t low = 0, high = n;
        while (low < high) {
            ptrdiff_t middle = low + (high - low) / 2;
            int before = right ? table[middle] <= x[i] : table[middle] < x[i];
            if (before)
                low = middle + 1;
            else
                high = middle;
        }
        y[i] = low;
    }
}
