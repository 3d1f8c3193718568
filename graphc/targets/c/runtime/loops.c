/* Says of the loop that follows that no turn of it waits for another: whatever one writes, the others
   do not touch. Compilers that cannot be told look at where arrays lie, each time. */
#if defined(__GNUC__) && !defined(__clang__)
#define gc_apart _Pragma("GCC ivdep")
#else
#define gc_apart
#endif

/* Says of a function that it is compiled once, not once more for each place that calls it. */
#if defined(__GNUC__) && !defined(__clang__)
#define gc_once __attribute__((noinline, noclone))
#else
#define gc_once
#endif

/* The sum of lanes, by halves. */
static gc_once real gc_add_lanes(real *lanes) {
    for (int half = 16; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* The sum of lanes that are the widest floats, by halves. */
static gc_once double gc_add_wide_lanes(double *lanes) {
    for (int half = 16; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] += lanes[lane + half];
    return lanes[0];
}

/* The largest of lanes; nan if one is. */
static gc_once real gc_maximum_lanes(real *lanes) {
    for (int half = 16; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] = gc_maximum(lanes[lane], lanes[lane + half]);
    return lanes[0];
}

/* The smallest of lanes; nan if one is. */
static gc_once real gc_minimum_lanes(real *lanes) {
    for (int half = 16; half > 0; half /= 2)
        for (int lane = 0; lane < half; lane++)
            lanes[lane] = gc_minimum(lanes[lane], lanes[lane + half]);
    return lanes[0];
}
