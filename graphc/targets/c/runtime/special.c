/* exp(x * x) (1 - erf(x)) for x > 0.46875: times 1 + 2 x it is a polynomial in t = (x - 4) / (x + 4),
   near 1 everywhere, by interpolation at Chebyshev's nodes (after Shepherd and Laframboise, Math. Comp.
   36, 1981). */
static inline real gc_erfcx_above(real x) {
    real least = gc_choose(x > R(0.46875), x, R(0.46875));
    real bounded = gc_choose(least < R(1e30), least, R(1e30));
    real t = (bounded - R(4.0)) / (bounded + R(4.0));
    real p = R(3.398497372894413e-09);
    p = p * t + R(-9.66622892740275e-09);
    p = p * t + R(-2.3106667668503948e-08);
    p = p * t + R(1.0338020235850776e-07);
    p = p * t + R(8.20784781482964e-08);
    p = p * t + R(-8.1977580278598e-07);
    p = p * t + R(2.8779482398841147e-07);
    p = p * t + R(5.706767320598724e-06);
    p = p * t + R(-1.1219033973530907e-05);
    p = p * t + R(-2.4398213890598923e-05);
    p = p * t + R(0.00015062072792391287);
    p = p * t + R(-0.00019925691151652657);
    p = p * t + R(-0.0007577730988560421);
    p = p * t + R(0.0050319700072212975);
    p = p * t + R(-0.016197734080991955);
    p = p * t + R(0.03716751553520588);
    p = p * t + R(-0.0663303658106144);
    p = p * t + R(0.09373283499843779);
    p = p * t + R(-0.10103906603635825);
    p = p * t + R(0.06809705425469152);
    p = p * t + R(0.015379652102620382);
    p = p * t + R(-0.13962111684056253);
    p = p * t + R(1.2329951186255526);
    return p / (R(1.0) + R(2.0) * least);
}

/* 1 - erf(x) for x > 0.46875; -x * x is taken as two numbers, exactly but for a rounding of the
   second. */
static inline real gc_erf_tail(real x) {
    real bounded = gc_choose(x < R(30.0), x, R(30.0));
    real coarse = (real)(int32_t)(bounded * GRID) / GRID;
    real rest = (coarse - bounded) * (coarse + bounded);
    real high_part = rest - coarse * coarse;
    real low_part = (-coarse * coarse - high_part) + rest;
    return gc_exp_sum(high_part, low_part) * gc_erfcx_above(x);
}

/* The error function (Cody, Math. Comp. 23, 1969: the rational approximations). */
static inline real gc_erf(real x) {
    real size = M(fabs)(x);
    real z = gc_choose(size < R(0.5), size * size, R(0.25));
    real above = R(0.185777706184603153);
    above = above * z + R(3.16112374387056560);
    above = above * z + R(113.864154151050156);
    above = above * z + R(377.485237685302021);
    above = above * z + R(3209.37758913846947);
    real below = z + R(23.6012909523441209);
    below = below * z + R(244.024637934444173);
    below = below * z + R(1282.61652607737228);
    below = below * z + R(2844.23683343917062);
    real near = x * (above / below);
    real far = M(copysign)(R(1.0) - gc_erf_tail(size), x);
    real found = gc_choose(size <= R(0.46875), near, far);
    return gc_choose(x != x, x, found);
}

/* 1 - erf(x), accurate where that is small. */
static inline real gc_erfc(real x) {
    real tail = gc_erf_tail(M(fabs)(x));
    real near = R(1.0) - gc_erf(x);
    real left = gc_choose(x < R(-0.46875), R(2.0) - tail, near);
    real found = gc_choose(x > R(0.46875), tail, left);
    return gc_choose(x != x, x, found);
}

/* The way from the nearest integer, times pi. */
static inline real gc_from_integer(real x) {
    return R(3.141592653589793) * (x - M(rint)(x));
}

/* log|Gamma(x)|: Stirling's series above 8, Gamma(x + 1) = x Gamma(x) below, reflection below 0 (NIST
   Handbook, 5.11.1, 5.5.1, 5.5.3). */
static inline real gc_lgamma(real x) {
    real y = x < R(0.0) ? R(1.0) - x : x;
    real shift = R(1.0), z = y;
    for (; z < R(8.0); z += R(1.0))
        shift *= z;
    real square = R(1.0) / z / z;
    real series = R(1.0) / R(156.0);
    series = series * square - R(691.0) / R(360360.0);
    series = series * square + R(1.0) / R(1188.0);
    series = series * square - R(1.0) / R(1680.0);
    series = series * square + R(1.0) / R(1260.0);
    series = series * square - R(1.0) / R(360.0);
    series = series * square + R(1.0) / R(12.0);
    real value = (z - R(0.5)) * (M(log)(z) - R(1.0)) + (R(0.418938533204672742) + series / z);
    if (y < R(8.0))
        value -= M(log)(shift);
    if (x < R(0.0))
        return R(1.14472988584940017) - M(log)(M(fabs)(M(sin)(gc_from_integer(x)))) - value;
    return value;
}

/* The derivative of log Gamma(x), by the derivatives of the same formulas (NIST Handbook, 5.11.2,
   5.5.2). */
static inline real gc_digamma(real x) {
    real y = x < R(0.0) ? R(1.0) - x : x;
    real shift = R(0.0), z = y + R(0.0);
    for (; z < R(8.0); z += R(1.0))
        shift += R(1.0) / z;
    real square = R(1.0) / z / z;
    real series = R(1.0) / R(12.0);
    series = series * square - R(691.0) / R(32760.0);
    series = series * square + R(1.0) / R(132.0);
    series = series * square - R(1.0) / R(240.0);
    series = series * square + R(1.0) / R(252.0);
    series = series * square - R(1.0) / R(120.0);
    series = series * square + R(1.0) / R(12.0);
    real value = M(log)(z) - R(0.5) / z - square * series - shift;
    if (x < R(0.0))
        return value - R(3.141592653589793) / M(tan)(gc_from_integer(x));
    return value;
}

/* The n-th derivative of cot where it is c, for n <= 60: a polynomial in c, since d cot = -(1 + cot^2). */
static inline real gc_cotangent_slope(real c, int n) {
    real slope[63] = {R(0.0), R(1.0)};
    for (int done = 0; done < n; done++) {
        real below = R(0.0), here = slope[0];
        for (int k = 0; k < done + 3; k++) {
            real above = slope[k + 1];
            slope[k] = -(real)(k + 1) * above - (k > 0 ? (real)(k - 1) * below : R(0.0));
            below = here;
            here = above;
        }
    }
    real total = slope[n + 1];
    for (int k = n; k >= 0; k--)
        total = total * c + slope[k];
    return total;
}

/* The n-th derivative of digamma for n >= 1: (-1)^(n+1) n! zeta(n + 1, x), the sum summed by Euler and
   Maclaurin after 12 terms (NIST Handbook, 25.11.5); reflection below 0 (5.15.6). */
static inline real gc_polygamma(real x, int n) {
    static const real bernoulli[7] = {
        R(1.0) / R(12.0), R(-1.0) / R(720.0), R(1.0) / R(30240.0), R(-1.0) / R(1209600.0),
        R(1.0) / R(47900160.0), R(-691.0) / R(1307674368000.0), R(1.0) / R(74724249600.0)};
    real y = x < R(0.0) ? R(1.0) - x : x;
    real z = y + R(12.0), order = (real)n;
    real total = R(0.0);
    for (int k = 0; k < 12; k++)
        total += M(pow)(y + (real)k, -(order + R(1.0)));
    total += M(pow)(z, -order) * (R(1.0) / order + R(0.5) / z);
    real factor = (order + R(1.0)) / M(pow)(z, order + R(2.0));
    for (int j = 0; j < 7; j++) {
        total += bernoulli[j] * factor;
        factor *= (order + (real)(2 * j + 2)) * (order + (real)(2 * j + 3)) / z / z;
    }
    for (int k = 1; k <= n; k++)
        total *= (real)-k;
    if (!(x < R(0.0)))
        return -total;
    real cotangent = R(1.0) / M(tan)(gc_from_integer(x));
    real mirrored = gc_cotangent_slope(cotangent, n);
    real power = R(3.141592653589793);
    for (int k = 0; k < n; k++)
        power *= R(3.141592653589793);
    return (n % 2 ? total : -total) - power * mirrored;
}
