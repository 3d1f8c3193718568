/* exp(-x^2 / 2), of which x is split so that the square of the coarse part is exact. */
static inline real gc_normal_decay(real x) {
    real size = M(fabs)(x);
    real bounded = gc_choose(size < R(60.0), size, R(60.0));
    real coarse = (real)(int32_t)(bounded * GRID) / GRID;
    real fine = (coarse - bounded) * (coarse + bounded);
    return gc_exp(R(-0.5) * coarse * coarse) * gc_exp(R(0.5) * fine);
}

/* The normal distribution: half of erfc(-x / sqrt(2)), whose error does not grow in the tail since
   exp(-x^2 / 2) is of x itself. */
static inline real gc_ndtr(real x) {
    real size = M(fabs)(x);
    real scaled = size * R(0.707106781186547524);
    real tail = R(0.5) * gc_normal_decay(x) * gc_erfcx_above(scaled);
    real near = R(0.5) + R(0.5) * gc_erf(x * R(0.707106781186547524));
    real outer = gc_choose(x < R(0.0), tail, R(1.0) - tail);
    real found = gc_choose(size <= R(0.67), near, outer);
    return gc_choose(x != x, x, found);
}

/* The logarithm of the normal distribution: in the lower tail without the exponential, in the upper of
   what is missing to 1. */
static inline real gc_log_ndtr(real x) {
    real low = gc_choose(x < R(-1.0), x, R(-1.0));
    real tail = gc_log(R(0.5) * gc_erfcx_above(low * R(-0.707106781186547524))) - R(0.5) * low * low;
    real part = gc_ndtr(gc_choose(x < R(0.0), x, -x));
    real between = gc_log(part);
    real inside = gc_choose(x < R(0.0), between, gc_log1p(-part));
    real found = gc_choose(x < R(-1.0), tail, inside);
    real finite = gc_choose(x < -LARGEST, x, found);
    return gc_choose(x != x, x, finite);
}

/* x + phi(x) / Phi(x); below -2 by Laplace's continued fraction of Mills' ratio (NIST Handbook, 7.9.1),
   in which nothing cancels; it begins with what its tails are near. */
static inline real gc_hazard_excess(real x) {
    real z = gc_choose(x < R(-2.0), -x, R(2.0));
    real total = R(0.5) * (z + M(sqrt)(z * z + R(324.0)));
    for (int k = 80; k > 1; k--)
        total = z + (real)k / total;
    real high = gc_choose(x < R(-2.0), R(-2.0), x);
    real near = high + R(0.398942280401432678) * gc_normal_decay(high) / gc_ndtr(high);
    return gc_choose(x < R(-2.0), R(1.0) / total, near);
}

/* phi(x) / Phi(x), the derivative of the logarithm of the normal distribution. */
static inline real gc_hazard(real x) {
    real inside = gc_choose(x < R(-2.0), R(-2.0), x);
    real near = R(0.398942280401432678) * gc_normal_decay(inside) / gc_ndtr(inside);
    return gc_choose(x < R(-2.0), gc_hazard_excess(x) - x, near);
}

/* x with Phi(x) = 1/2 + centre, and `tails` beyond -x and x together; the rational approximations of
   Wichura (Applied Statistics 37, 1988, algorithm AS 241). */
static inline real gc_normal_quantile(real centre, real tails) {
    real size = M(fabs)(centre);
    real most = gc_choose(size < R(0.425), size, R(0.425));
    real inner = R(0.180625) - most * most;
    real above = R(2509.08092873012267);
    above = above * inner + R(33430.5755835881281);
    above = above * inner + R(67265.7709270087009);
    above = above * inner + R(45921.9539315498715);
    above = above * inner + R(13731.6937655094611);
    above = above * inner + R(1971.59095030655144);
    above = above * inner + R(133.141667891784377);
    above = above * inner + R(3.38713287279636661);
    real below = R(5226.49527885285456);
    below = below * inner + R(28729.0857357219427);
    below = below * inner + R(39307.8958000927106);
    below = below * inner + R(21213.7943015865959);
    below = below * inner + R(5394.19602142475111);
    below = below * inner + R(687.187007492057908);
    below = below * inner + R(42.3133307016009113);
    below = below * inner + R(1.0);
    real middle = centre * (above / below);
    real inside = gc_choose(tails < R(0.2), tails, R(0.2));
    real bounded = gc_choose(tails > R(0.0), inside, R(0.2));
    real depth = M(sqrt)(R(0.693147180559945309) - gc_log(bounded));
    real near = gc_choose(depth < R(5.0), depth, R(5.0)) - R(1.6);
    above = R(7.74545014278341407e-4);
    above = above * near + R(0.0227238449892691846);
    above = above * near + R(0.241780725177450612);
    above = above * near + R(1.27045825245236838);
    above = above * near + R(3.64784832476320461);
    above = above * near + R(5.76949722146069141);
    above = above * near + R(4.63033784615654530);
    above = above * near + R(1.42343711074968358);
    below = R(1.05075007164441684e-9);
    below = below * near + R(5.47593808499534495e-4);
    below = below * near + R(0.0151986665636164572);
    below = below * near + R(0.148103976427480075);
    below = below * near + R(0.689767334985100005);
    below = below * near + R(1.67638483018380385);
    below = below * near + R(2.05319162663775882);
    below = below * near + R(1.0);
    real outer = above / below;
    real far = gc_choose(depth > R(5.0), depth, R(5.0)) - R(5.0);
    above = R(2.01033439929228813e-7);
    above = above * far + R(2.71155556874348758e-5);
    above = above * far + R(0.00124266094738807844);
    above = above * far + R(0.0265321895265761231);
    above = above * far + R(0.296560571828504891);
    above = above * far + R(1.78482653991729134);
    above = above * far + R(5.46378491116411437);
    above = above * far + R(6.65790464350110378);
    below = R(2.04426310338993979e-15);
    below = below * far + R(1.42151175831644589e-7);
    below = below * far + R(1.84631831751005468e-5);
    below = below * far + R(7.86869131145613259e-4);
    below = below * far + R(0.0148753612908506149);
    below = below * far + R(0.136929880922735805);
    below = below * far + R(0.599832206555887938);
    below = below * far + R(1.0);
    real found = gc_choose(depth <= R(5.0), outer, above / below);
    real positive = gc_choose(tails > R(0.0), found, NAN);
    real reached = gc_choose(tails == R(0.0), INFINITY, positive);
    real outside = gc_choose(centre < R(0.0), -reached, reached);
    return gc_choose(size <= R(0.425), middle, outside);
}

/* x with Phi(x) = p. */
static inline real gc_ndtri(real p) {
    real beyond = R(1.0) - p;
    return gc_normal_quantile(p - R(0.5), R(2.0) * gc_choose(p < beyond, p, beyond));
}

/* y with erf(y) = x. */
static inline real gc_erfinv(real x) {
    return R(0.707106781186547524) * gc_normal_quantile(R(0.5) * x, R(1.0) - M(fabs)(x));
}

/* y with erfc(y) = x. */
static inline real gc_erfcinv(real x) {
    real other = R(2.0) - x;
    return R(0.707106781186547524) *
           gc_normal_quantile(R(0.5) - R(0.5) * x, gc_choose(x < other, x, other));
}
