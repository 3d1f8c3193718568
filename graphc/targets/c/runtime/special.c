/* exp(x * x) (1 - erf(x)) for x > 0.46875 (Cody, Math. Comp. 23, 1969). */
static inline real gc_erfcx_above(real x) {
    real least = gc_choose(x > R(0.46875), x, R(0.46875));
    real y = gc_choose(least < R(4.0), least, R(4.0));
    real above = R(2.15311535474403846e-8);
    above = above * y + R(0.564188496988670089);
    above = above * y + R(8.88314979438837594);
    above = above * y + R(66.1191906371416295);
    above = above * y + R(298.635138197400131);
    above = above * y + R(881.952221241769090);
    above = above * y + R(1712.04761263407058);
    above = above * y + R(2051.07837782607147);
    above = above * y + R(1230.33935479799725);
    real below = y + R(15.7449261107098347);
    below = below * y + R(117.693950891312499);
    below = below * y + R(537.181101862009858);
    below = below * y + R(1621.38957456669019);
    below = below * y + R(3290.79923573345963);
    below = below * y + R(4362.61909014324716);
    below = below * y + R(3439.36767414372164);
    below = below * y + R(1230.33935480374942);
    real outer = gc_choose(x > R(4.0), x, R(4.0));
    real square = R(1.0) / outer / outer;
    real high = R(0.0163153871373020978);
    high = high * square + R(0.305326634961232344);
    high = high * square + R(0.360344899949804439);
    high = high * square + R(0.125781726111229246);
    high = high * square + R(0.0160837851487422766);
    high = high * square + R(6.58749161529837803e-4);
    real low = square + R(2.56852019228982242);
    low = low * square + R(1.87295284992346725);
    low = low * square + R(0.527905102951428412);
    low = low * square + R(0.0605183413124413191);
    low = low * square + R(0.00233520497626869185);
    real middle = above / below;
    real far = (R(0.564189583547756287) - square * (high / low)) / outer;
    return gc_choose(x <= R(4.0), middle, far);
}

/* 1 - erf(x) for x > 0.46875; -x * x is taken as two numbers, exactly but for a rounding of the
   second. */
static inline real gc_erf_tail(real x) {
    real bounded = gc_choose(x < R(30.0), x, R(30.0));
    real coarse = (real)(int32_t)(bounded * R(16.0)) * R(0.0625);
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
