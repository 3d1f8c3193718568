/* The bits of a number. */
static inline uint64_t gc_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The number that has these bits. */
static inline double gc_number(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One of two numbers, without a branch, so that loops vectorise. */
static inline double gc_choose(int first, double x, double y) {
    uint64_t mask = 0 - (uint64_t)first;
    return gc_number((gc_bits(x) & mask) | (gc_bits(y) & ~mask));
}

/* exp(r) - 1 - r over r * r for |r| <= ln(2) / 2, by interpolation at Chebyshev's nodes. */
static inline double gc_exp_rest(double r) {
    double q = 2.510038549551032e-08;
    q = q * r + 2.7620088445409746e-07;
    q = q * r + 2.7557268459997064e-06;
    q = q * r + 2.4801521295954376e-05;
    q = q * r + 0.00019841269863053618;
    q = q * r + 0.0013888888917213717;
    q = q * r + 0.008333333333330062;
    q = q * r + 0.04166666666662413;
    q = q * r + 0.16666666666666669;
    return q * r + 0.5;
}

/* exp(x + lost) for a small `lost`, within 1 ulp: x = n ln(2) + r (Cody and Waite, Software Manual for the Elementary
   Functions, 1980, ch. 6). Adding 1.5 * 2^52 rounds n to an integer, and leaves it in the low bits. */
static inline double gc_exp_sum(double x, double lost) {
    double low = gc_choose(x < -750.0, -750.0, x);
    double inside = gc_choose(low > 710.0, 710.0, low);
    double shifted = inside * 1.4426950408889634 + 0x1.8p52;
    double n = shifted - 0x1.8p52;
    double r = (inside - n * 0x1.62e42feep-1) - (n * 0x1.a39ef35793c76p-33 - lost);
    double y = 1.0 + (r + r * r * gc_exp_rest(r));
    uint64_t whole = (gc_bits(shifted) + 2048) & 4095; /* n + 2048 */
    uint64_t half = whole >> 1;
    return y * gc_number((half - 1) << 52) * gc_number((whole - half - 1) << 52);
}

/* e to the power x within 1 ulp. */
static inline double gc_exp(double x) {
    return gc_exp_sum(x, 0.0);
}

/* exp(x) - 1 within 2 ulp, near 0 too (after Tang, ACM TOMS 18, 1992): 2 (p t + (t - 1/2)) with
   t = 2^(n-1) and p = exp(r) - 1. */
static inline double gc_expm1(double x) {
    double low = gc_choose(x < -50.0, -50.0, x);
    double inside = gc_choose(low > 710.0, 710.0, low);
    double shifted = inside * 1.4426950408889634 + 0x1.8p52;
    double n = shifted - 0x1.8p52;
    double r = (inside - n * 0x1.62e42feep-1) - n * 0x1.a39ef35793c76p-33;
    double p = r + r * r * gc_exp_rest(r);
    double t = gc_number(((gc_bits(shifted) + 1022) & 2047) << 52);
    double y = 2.0 * (p * t + (t - 0.5));
    return gc_choose(fabs(x) < 0x1p-54, x, y);
}

/* log(1 + f) = f - (f^2 / 2 - s (f^2 / 2 + R)) with s = f / (2 + f), plus k ln(2) and a small c
   (Tang, ACM TOMS 16, 1990; the polynomial R by interpolation at Chebyshev's nodes). */
static inline double gc_log_parts(double k, double f, double c) {
    double s = f / (2.0 + f);
    double z = s * s;
    double q = 0.14616721179861816;
    q = q * z + 0.15331699633543858;
    q = q * z + 0.18182889786191042;
    q = q * z + 0.2222221112572281;
    q = q * z + 0.28571428626031065;
    q = q * z + 0.3999999999989938;
    q = q * z + 0.666666666666667;
    double half = 0.5 * f * f;
    double rest = s * (half + z * q) + (k * 0x1.a39ef35793c76p-33 + c);
    return k * 0x1.62e42feep-1 - ((half - rest) - f);
}

/* The exponent k of y = 2^k m with m between sqrt(1/2) and sqrt(2), for a normal y > 0. */
static inline double gc_exponent(double y) {
    uint64_t above = gc_bits(y) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    return gc_number(0x4330000000000000u | (above >> 52)) - (0x1p52 + 1023.0);
}

/* That m. */
static inline double gc_mantissa(double y) {
    uint64_t above = gc_bits(y) + (0x3ff0000000000000u - 0x3fe6a09e667f3bcdu);
    return gc_number((above & 0x000fffffffffffffu) + 0x3fe6a09e667f3bcdu);
}

/* The natural logarithm within 1 ulp. */
static inline double gc_log(double x) {
    double scaled = x * 0x1p54;
    double y = gc_choose(x < DBL_MIN, scaled, x);
    double k = gc_exponent(y) - gc_choose(x < DBL_MIN, 54.0, 0.0);
    double found = gc_log_parts(k, gc_mantissa(y) - 1.0, 0.0);
    double outside = gc_choose(x == 0.0, -INFINITY, NAN);
    double positive = gc_choose(x <= DBL_MAX, found, x);
    return gc_choose(x > 0.0, positive, outside);
}

/* log(1 + x) within 2 ulp, near 0 too: what 1 + x loses by rounding (Knuth's TwoSum) is given back. */
static inline double gc_log1p(double x) {
    double u = 1.0 + x;
    double back = u - 1.0;
    double lost = (x - back) + (1.0 - (u - back));
    double found = gc_log_parts(gc_exponent(u), gc_mantissa(u) - 1.0, lost / u);
    double outside = gc_choose(x == -1.0, -INFINITY, NAN);
    double finite = gc_choose(x <= DBL_MAX, found, x);
    double inside = gc_choose(x > -1.0, finite, outside);
    return gc_choose(fabs(x) < 0x1p-54, x, inside);
}

/* sin(x + turn quarters of a circle) for |x| <= 2^20: Cody and Waite's reduction in four parts of
   33 bits, each product with n exact, and the polynomials of the interval |r| <= pi / 4. */
static inline double gc_turned(double x, uint64_t turn) {
    double shifted = x * 0.6366197723675814 + 0x1.8p52;
    double n = shifted - 0x1.8p52;
    double first = x - n * 1.5707963267341256;
    double second = first - n * 6.077100506303966e-11;
    double lost = (first - second) - n * 6.077100506303966e-11;
    double third = second - n * 2.0222662487111665e-21;
    lost += (second - third) - n * 2.0222662487111665e-21;
    double gone = n * 8.4784276603689e-32 - lost;
    double r = third - gone;
    double e = (third - r) - gone;
    double z = r * r;
    double v = z * r;
    double s = 1.5917848524808262e-10;
    s = s * z - 2.5051127944014188e-08;
    s = s * z + 2.755731608381636e-06;
    s = s * z - 0.00019841269836722418;
    s = s * z + 0.008333333333330925;
    double sine = r - ((z * (0.5 * e - v * s) - e) + v * 0.16666666666666666);
    double c = -1.1382456778061306e-11;
    c = c * z + 2.0876143827993133e-09;
    c = c * z - 2.7557317260008837e-07;
    c = c * z + 2.480158729874307e-05;
    c = c * z - 0.0013888888888887382;
    c = c * z + 0.041666666666666664;
    double half = 0.5 * z;
    double near = 1.0 - half;
    double cosine = near + (((1.0 - near) - half) + (z * z * c - r * e));
    uint64_t quarter = gc_bits(shifted) + turn;
    double y = gc_choose((quarter & 1) != 0, cosine, sine);
    return gc_number(gc_bits(y) ^ ((quarter & 2) << 62));
}
