/* The bits of a number. */
static inline uint32_t gc_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* The number that has these bits. */
static inline float gc_number(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One of two numbers, without a branch, so that loops vectorise. */
static inline float gc_choose(int first, float x, float y) {
    uint32_t mask = 0 - (uint32_t)first;
    return gc_number((gc_bits(x) & mask) | (gc_bits(y) & ~mask));
}

/* exp(r) - 1 - r over r * r for |r| <= ln(2) / 2, by interpolation at Chebyshev's nodes. */
static inline float gc_exp_rest(float r) {
    float q = 0.000198909911f;
    q = q * r + 0.00139336498f;
    q = q * r + 0.00833331048f;
    q = q * r + 0.0416664667f;
    q = q * r + 0.166666672f;
    return q * r + 0.5f;
}

/* exp(x + lost) for a small `lost`, within 1 ulp: x = n ln(2) + r (Cody and Waite, Software Manual for the Elementary
   Functions, 1980, ch. 6). Adding 1.5 * 2^23 rounds n to an integer, and leaves it in the low bits. */
static inline float gc_exp_sum(float x, float lost) {
    float low = gc_choose(x < -104.0f, -104.0f, x);
    float inside = gc_choose(low > 89.0f, 89.0f, low);
    float shifted = inside * 1.44269504f + 0x1.8p23f;
    float n = shifted - 0x1.8p23f;
    float r = (inside - n * 0.693115234375f) - (n * 3.19461833e-05f - lost);
    float y = 1.0f + (r + r * r * gc_exp_rest(r));
    uint32_t whole = (gc_bits(shifted) + 256) & 511; /* n + 256 */
    uint32_t half = whole >> 1;
    return y * gc_number((half - 1) << 23) * gc_number((whole - half - 1) << 23);
}

/* e to the power x within 1 ulp. */
static inline float gc_exp(float x) {
    return gc_exp_sum(x, 0.0f);
}

/* exp(x) - 1 within 2 ulp, near 0 too (after Tang, ACM TOMS 18, 1992): 2 (p t + (t - 1/2)) with
   t = 2^(n-1) and p = exp(r) - 1. */
static inline float gc_expm1(float x) {
    float low = gc_choose(x < -20.0f, -20.0f, x);
    float inside = gc_choose(low > 89.0f, 89.0f, low);
    float shifted = inside * 1.44269504f + 0x1.8p23f;
    float n = shifted - 0x1.8p23f;
    float r = (inside - n * 0.693115234375f) - n * 3.19461833e-05f;
    float p = r + r * r * gc_exp_rest(r);
    float t = gc_number(((gc_bits(shifted) + 126) & 255) << 23);
    float y = 2.0f * (p * t + (t - 0.5f));
    return gc_choose(fabsf(x) < 0x1p-25f, x, y);
}

/* log(1 + f) = f - (f^2 / 2 - s (f^2 / 2 + R)) with s = f / (2 + f), plus k ln(2) and a small c
   (Tang, ACM TOMS 16, 1990; the polynomial R by interpolation at Chebyshev's nodes). */
static inline float gc_log_parts(float k, float f, float c) {
    float s = f / (2.0f + f);
    float z = s * s;
    float q = 0.233306974f;
    q = q * z + 0.285508126f;
    q = q * z + 0.400001228f;
    q = q * z + 0.666666687f;
    float half = 0.5f * f * f;
    float rest = s * (half + z * q) + (k * 3.19461833e-05f + c);
    return k * 0.693115234375f - ((half - rest) - f);
}

/* The exponent k of y = 2^k m with m between sqrt(1/2) and sqrt(2), for a normal y > 0. */
static inline float gc_exponent(float y) {
    uint32_t above = gc_bits(y) + (0x3f800000u - 0x3f3504f3u);
    return gc_number(0x4b000000u | (above >> 23)) - (0x1p23f + 127.0f);
}

/* That m. */
static inline float gc_mantissa(float y) {
    uint32_t above = gc_bits(y) + (0x3f800000u - 0x3f3504f3u);
    return gc_number((above & 0x007fffffu) + 0x3f3504f3u);
}

/* The natural logarithm within 1 ulp. */
static inline float gc_log(float x) {
    float scaled = x * 0x1p25f;
    float y = gc_choose(x < FLT_MIN, scaled, x);
    float k = gc_exponent(y) - gc_choose(x < FLT_MIN, 25.0f, 0.0f);
    float found = gc_log_parts(k, gc_mantissa(y) - 1.0f, 0.0f);
    float outside = gc_choose(x == 0.0f, -INFINITY, NAN);
    float positive = gc_choose(x <= FLT_MAX, found, x);
    return gc_choose(x > 0.0f, positive, outside);
}

/* log(1 + x) within 2 ulp, near 0 too: what 1 + x loses by rounding (Knuth's TwoSum) is given back. */
static inline float gc_log1p(float x) {
    float u = 1.0f + x;
    float back = u - 1.0f;
    float lost = (x - back) + (1.0f - (u - back));
    float found = gc_log_parts(gc_exponent(u), gc_mantissa(u) - 1.0f, lost / u);
    float outside = gc_choose(x == -1.0f, -INFINITY, NAN);
    float finite = gc_choose(x <= FLT_MAX, found, x);
    float inside = gc_choose(x > -1.0f, finite, outside);
    return gc_choose(fabsf(x) < 0x1p-25f, x, inside);
}

/* sin(x + turn quarters of a circle) for |x| <= 2^20: Cody and Waite's reduction in double, whose
   parts are exact, and the polynomials of the interval |r| <= pi / 4. */
static inline float gc_turned(float x, uint64_t turn) {
    double shifted = x * 0.6366197723675814 + 0x1.8p52;
    double n = shifted - 0x1.8p52;
    float r = (float)((x - n * 1.5707963267341256) - n * 6.077100506506192e-11);
    float z = r * r;
    float s = -2.72493139e-06f;
    s = s * z + 0.000198400827f;
    s = s * z - 0.00833333191f;
    s = s * z + 0.166666672f;
    float sine = r - (0.0f + r * z * s); /* 0 + keeps the sign of 0 */
    float c = 2.45474366e-05f;
    c = c * z - 0.00138883002f;
    c = c * z + 0.0416666642f;
    float half = 0.5f * z;
    float near = 1.0f - half;
    float cosine = near + (((1.0f - near) - half) + z * z * c);
    uint64_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    uint64_t quarter = bits + turn;
    float y = gc_choose((quarter & 1) != 0, cosine, sine);
    return gc_number(gc_bits(y) ^ ((uint32_t)(quarter & 2) << 30));
}
