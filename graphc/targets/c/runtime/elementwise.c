/* The hyperbolic tangent within 3 ulp. */
static inline real gc_tanh(real x) {
    real size = M(fabs)(x);
    real inside = gc_choose(size > R(22.0), R(22.0), size);
    real t = gc_expm1(R(2.0) * inside);
    return M(copysign)(t / (t + R(2.0)), x);
}

/* 1 / (1 + exp(-x)) within 3 ulp, without overflow. */
static inline real gc_sigmoid(real x) {
    real e = gc_exp(-M(fabs)(x));
    real above = gc_choose(x >= R(0.0), R(1.0), e);
    return above / (R(1.0) + e);
}

/* log(1 + exp(x)) within 3 ulp, without overflow. */
static inline real gc_softplus(real x) {
    real positive = gc_choose(x > R(0.0), x, R(0.0));
    return positive + gc_log1p(gc_exp(-M(fabs)(x)));
}

/* log(exp(x) + exp(y)) without overflow; of two equal infinities that one. */
static inline real gc_logaddexp(real x, real y) {
    real high = gc_choose(x > y, x, y);
    real gap = M(fabs)(x - y);
    real apart = high + gc_log1p(gc_exp(-gap));
    real level = x + R(0.6931471805599453);
    return gc_choose(x == y, level, apart);
}

/* The sine within 1 ulp; the library's far from 0. */
static inline real gc_sin(real x) {
    return M(fabs)(x) <= R(1048576.0) ? gc_turned(x, 0) : M(sin)(x);
}

/* The cosine within 1 ulp; the library's far from 0. */
static inline real gc_cos(real x) {
    return M(fabs)(x) <= R(1048576.0) ? gc_turned(x, 1) : M(cos)(x);
}

/* The larger one; nan if one is. */
static inline real gc_maximum(real x, real y) {
    return gc_choose((x >= y) | (x != x), x, y);
}

/* The smaller one; nan if one is. */
static inline real gc_minimum(real x, real y) {
    return gc_choose((x <= y) | (x != x), x, y);
}

/* x, but at least `low` and at most `high`; nan if one is. */
static inline real gc_clip(real x, real low, real high) {
    return gc_minimum(gc_maximum(x, low), high);
}

/* -1, 0 or 1, or nan. */
static inline real gc_sign(real x) {
    real negative = gc_choose(x < R(0.0), R(-1.0), R(0.0));
    real found = gc_choose(x > R(0.0), R(1.0), negative);
    return gc_choose(x != x, x, found);
}

/* 0 below 0, h at 0, 1 above, or nan. */
static inline real gc_heaviside(real x, real h) {
    real side = gc_choose(x > R(0.0), R(1.0), R(0.0));
    real found = gc_choose(x == R(0.0), h, side);
    return gc_choose(x != x, x, found);
}

/* x - y floor(x / y), with the sign of y, as Python's %. */
static inline real gc_remainder(real x, real y) {
    real rest = M(fmod)(x, y);
    if (y == R(0.0))
        return rest;
    if (rest == R(0.0))
        return M(copysign)(R(0.0), y);
    return (y < R(0.0)) != (rest < R(0.0)) ? rest + y : rest;
}

/* floor(x / y), exactly, as Python's //; of y = 0 the quotient. */
static inline real gc_floor_divide(real x, real y) {
    if (y == R(0.0))
        return x / y;
    real rest = M(fmod)(x, y);
    real quotient = (x - rest) / y;
    if (rest != R(0.0) && (y < R(0.0)) != (rest < R(0.0)))
        quotient -= R(1.0);
    if (quotient == R(0.0))
        return M(copysign)(R(0.0), x / y);
    real whole = M(floor)(quotient);
    return quotient - whole > R(0.5) ? whole + R(1.0) : whole;
}

/* x * x. */
static inline real gc_square(real x) {
    return x * x;
}

/* The larger one. */
static inline int64_t gc_maximum_int(int64_t x, int64_t y) {
    return x >= y ? x : y;
}

/* The smaller one. */
static inline int64_t gc_minimum_int(int64_t x, int64_t y) {
    return x <= y ? x : y;
}

/* x, but at least `low` and at most `high`. */
static inline int64_t gc_clip_int(int64_t x, int64_t low, int64_t high) {
    return gc_minimum_int(gc_maximum_int(x, low), high);
}

/* x * x, modulo 2^64. */
static inline int64_t gc_square_int(int64_t x) {
    return (int64_t)((uint64_t)x * (uint64_t)x);
}

/* -1, 0 or 1. */
static inline int64_t gc_sign_int(int64_t x) {
    return (x > 0) - (x < 0);
}

/* |x|, modulo 2^64. */
static inline int64_t gc_abs_int(int64_t x) {
    return x < 0 ? (int64_t)(0 - (uint64_t)x) : x;
}

/* floor(x / y) as Python's //, modulo 2^64; of y = 0 it is 0, as in NumPy. */
static inline int64_t gc_floor_divide_int(int64_t x, int64_t y) {
    if (y == 0)
        return 0;
    if (y == -1)
        return (int64_t)(0 - (uint64_t)x);
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

/* x - y floor(x / y), with the sign of y, as Python's %; of y = 0 it is 0, as in NumPy. */
static inline int64_t gc_remainder_int(int64_t x, int64_t y) {
    if (y == 0 || y == -1)
        return 0;
    int64_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

/* x to the power n >= 0, modulo 2^64, by repeated squaring. */
static inline int64_t gc_power_int(int64_t x, int64_t n) {
    uint64_t found = 1, base = (uint64_t)x;
    for (; n > 0; n /= 2, base *= base)
        if (n % 2 == 1)
            found *= base;
    return (int64_t)found;
}
