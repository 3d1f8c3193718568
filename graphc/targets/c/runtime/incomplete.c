/* The incomplete functions are an integral over how far, in logarithms or in shares, a point lies
   beyond x, in the smaller of both tails. The trapezoidal rule in s with v = exp(s - exp(-s)) finds
   all digits (Takahasi and Mori 1974): from here on, where nothing is left, to where a decay at a rate
   has vanished. */
enum { gc_first_point = -38, gc_orders = 13 };

/* A point of the rule, and its weight. */
static inline real gc_point(int number, real *weight) {
    real s = R(0.1) * (real)number, back = gc_exp(-s), v = gc_exp(s - back);
    *weight = R(0.1) * v * (R(1.0) + back);
    return v;
}

/* n over k. */
static inline real gc_binomial(int n, int k) {
    real found = R(1.0);
    for (int i = 0; i < k; i++)
        found = found * (real)(n - i) / (real)(i + 1);
    return found;
}

/* The n-th complete Bell polynomial: the n-th derivative of f over f, from those of log f (Comtet 1974,
   3.3). */
static inline real gc_bell(const real *terms, int n) {
    real found[gc_orders] = {R(1.0)};
    for (int k = 0; k < n; k++)
        for (int j = 0; j <= k; j++)
            found[k + 1] += gc_binomial(k, j) * found[k - j] * terms[j];
    return found[n];
}

/* log(1 + u) - u for whole = 1 + u; near 0 by the series of artanh r with r = u / (2 + u). */
static inline real gc_log_less(real u, real whole) {
    real near = u < R(-0.6) ? R(-0.6) : u > R(0.6) ? R(0.6) : u;
    real r = near / (R(2.0) + near), series = R(0.0);
    for (int k = 22; k > 0; k--)
        series = series * (r * r) + R(2.0) / (real)(2 * k + 1);
    series = series * r * r * r - near * r;
    return M(fabs)(u) <= R(0.6) ? series : M(log)(whole) - u;
}

/* Gamma(a) over Stirling's sqrt(2 pi) a^(a - 1/2) e^-a. */
static inline real gc_gamma_star(real a) {
    if (a < R(10.0))
        return M(exp)(gc_lgamma(a) - (a - R(0.5)) * M(log)(a) + (a - R(0.918938533204672742)));
    real square = R(1.0) / a / a;
    real series = R(-691.0) / R(360360.0);
    series = series * square + R(1.0) / R(1188.0);
    series = series * square - R(1.0) / R(1680.0);
    series = series * square + R(1.0) / R(1260.0);
    series = series * square - R(1.0) / R(360.0);
    series = series * square + R(1.0) / R(12.0);
    return M(exp)(series / a);
}

/* x^(a-1) e^-x / Gamma(a), by how far x is from a (Temme 1996, Special Functions, 11.2.4). */
static real gc_gamma_density(real a, real x) {
    if (!(x >= R(0.0) && a > R(0.0)))
        return (real)NAN;
    if (x == R(0.0))
        return a < R(1.0) ? (real)INFINITY : a == R(1.0) ? R(1.0) : R(0.0);
    if (x > LARGEST)
        return R(0.0);
    real apart = gc_log_less((x - a) / a, x / a);
    return M(exp)(a * apart - M(log)(x)) * (M(sqrt)(a / R(6.283185307179586)) / gc_gamma_star(a));
}

/* The n-th derivative by a of P(a, x) where x <= a or x <= 1, else of 1 - P(a, x), for 0 < x: of the
   integral of t^(a-1) e^-t / Gamma(a) with t = x e^-v below and x (1 + v) above. Below 1 it comes from
   what it is at a + 1 (NIST Handbook, 8.8.5): towards 0 the integral has ever longer tails. */
static real gc_gamma_tail(real a, real x, int n) {
    int lower = x <= (a > R(1.0) ? a : R(1.0)), raised = lower && a < R(1.0);
    a += raised ? R(1.0) : R(0.0);
    real rest = gc_maximum(gc_maximum(x - a + R(1.0), R(0.0)), M(sqrt)(R(0.5) * a) / x);
    real width = R(1.0) / (lower ? M(fabs)(x - a) + M(sqrt)(R(0.5) * x) : rest);
    real rate = gc_minimum((lower ? a : x) * width, R(1.0)), terms[gc_orders] = {R(0.0)}, total = R(0.0);
    real v = R(0.0), slope = n ? M(log)(x) - gc_digamma(a) : R(0.0), weight;
    for (int k = 1; k < n; k++)
        terms[k] = -gc_polygamma(a, k);
    for (int point = gc_first_point; v * rate < R(45.0); point++) {
        v = gc_point(point, &weight);
        real far = v * width, outside = M(log1p)(far);
        real decay = lower ? -a * far - x * M(expm1)(-far) : (a - R(1.0)) * outside - x * far;
        terms[0] = slope + (lower ? -far : outside);
        total += weight * M(exp)(decay) * gc_bell(terms, n);
    }
    terms[0] = slope;
    real at_once = raised ? gc_bell(terms, n) : R(0.0);
    return (total * width * x + at_once) * gc_gamma_density(a, x);
}

/* The lower regularized incomplete gamma function P(a, x), or 1 less it; or, for n > 0, the n-th
   derivative of P by a. */
static real gc_gamma_part(real a, real x, int n, int upper) {
    if (!(x >= R(0.0) && a > R(0.0)))
        return (real)NAN;
    if (x == R(0.0) || x > LARGEST)
        return n || (x == R(0.0)) != upper ? R(0.0) : R(1.0);
    int below = x <= (a > R(1.0) ? a : R(1.0));
    real tail = gc_gamma_tail(a, x, n);
    if (n)
        return below ? tail : -tail;
    return below != upper ? tail : R(1.0) - tail;
}

/* P(a, x). */
static inline real gc_gammainc(real a, real x) {
    return gc_gamma_part(a, x, 0, 0);
}

/* 1 - P(a, x). */
static inline real gc_gammaincc(real a, real x) {
    return gc_gamma_part(a, x, 0, 1);
}

/* The n-th derivative of P(a, x) by a, for n <= 12. */
static inline real gc_gammainc_by_a(real a, real x, int64_t n) {
    return gc_gamma_part(a, x, (int)n, 0);
}

/* x^(a-1) (1-x)^(b-1) / B(a, b), by how far x is from a / (a + b). */
static real gc_beta_density(real a, real b, real x) {
    if (!(x >= R(0.0) && x <= R(1.0) && a > R(0.0) && b > R(0.0)))
        return (real)NAN;
    if (x == R(0.0))
        return a < R(1.0) ? (real)INFINITY : a == R(1.0) ? b : R(0.0);
    if (x == R(1.0))
        return b < R(1.0) ? (real)INFINITY : b == R(1.0) ? a : R(0.0);
    real n = a + b, other = R(1.0) - x;
    real apart = a * gc_log_less((n * x - a) / a, n * x / a);
    apart += b * gc_log_less((n * other - b) / b, n * other / b);
    real size = M(sqrt)(a / n * b / R(6.283185307179586)) * gc_gamma_star(n);
    return M(exp)(apart - M(log)(x)) * (size / (gc_gamma_star(a) * gc_gamma_star(b))) / other;
}

/* A derivative of digamma, or itself. */
static inline real gc_polygamma_of(real x, int n) {
    return n ? gc_polygamma(x, n) : gc_digamma(x);
}

/* The complete Bell polynomial of two variables: the derivative of f, i times and j times, over f, from
   those of log f, in rows of j + 1. */
static real gc_bells(const real *terms, int i, int j) {
    real found[gc_orders * gc_orders] = {R(1.0)};
    for (int q = 1; q <= j; q++)
        for (int s = 0; s < q; s++)
            found[q] += gc_binomial(q - 1, s) * found[q - 1 - s] * terms[s + 1];
    for (int p = 1; p <= i; p++)
        for (int q = 0; q <= j; q++)
            for (int r = 0; r < p; r++)
                for (int s = 0; s <= q; s++)
                    found[p * (j + 1) + q] += gc_binomial(p - 1, r) * gc_binomial(q, s) *
                                              found[(p - 1 - r) * (j + 1) + q - s] *
                                              terms[(r + 1) * (j + 1) + s];
    return found[i * (j + 1) + j];
}

/* The derivatives of the logarithm of Gamma(whole) / Gamma(a) / Gamma(b) by a and by b, with both of
   which goes the whole, in rows of j + 1. */
static void gc_beta_cumulants(real *found, real a, real b, real whole, int i, int j) {
    for (int p = 0; p <= i; p++)
        for (int q = 0; q <= j; q++) {
            real *to = found + p * (j + 1) + q;
            *to = p + q ? gc_polygamma_of(whole, p + q - 1) : R(0.0);
            *to -= q || !p ? R(0.0) : gc_polygamma_of(a, p - 1);
            *to -= p || !q ? R(0.0) : gc_polygamma_of(b, q - 1);
        }
}

/* The derivatives of f over f, of these cumulants and the logarithms of what has its powers here and
   there: a and b, or b and a. */
static real gc_beta_bells(const real *cumulants, real here, real there, int lower, int i, int j) {
    real terms[gc_orders * gc_orders];
    memcpy(terms, cumulants, (size_t)((i + 1) * (j + 1)) * sizeof(real));
    if (i)
        terms[j + 1] += lower ? here : there;
    if (j)
        terms[1] += lower ? there : here;
    return gc_bells(terms, i, j);
}

/* The derivatives by a and b of I_x(a, b) where x is below the mean, else of 1 - I_x(a, b), for
   0 < x < 1: of the integral of t^(a-1) (1-t)^(b-1) / B(a, b), where t or 1 - t is x e^-v or
   (1 - x) e^-v. Where a is below 1 it comes from what it is at a + 1, of the other tail where b is from
   that at b + 1 (NIST Handbook, 8.17.20): towards 0 the integral has ever longer tails. */
static real gc_beta_tail(real a, real b, real x, int i, int j) {
    int lower = x * (a + b) <= a, raised = (lower ? a : b) < R(1.0);
    real cumulants[gc_orders * gc_orders], at_once[gc_orders * gc_orders], whole = a + b;
    a += lower && raised ? R(1.0) : R(0.0);
    b += !lower && raised ? R(1.0) : R(0.0);
    gc_beta_cumulants(cumulants, a, b, a + b, i, j);
    gc_beta_cumulants(at_once, a, b, whole, i, j);
    real near = lower ? x : R(1.0) - x, far = lower ? R(1.0) - x : x;
    real rate = lower ? a : b, other = lower ? b : a, odds = near / far, weight;
    real fall = gc_maximum(rate - (other - R(1.0)) * odds, R(0.0));
    real curve = gc_maximum(other - R(1.0), R(0.0)) * odds * (R(1.0) + odds);
    real width = R(1.0) / (fall + M(sqrt)(R(0.5) * curve)), total = R(0.0), v = R(0.0);
    real least = gc_minimum(rate * width, R(1.0));
    for (int point = gc_first_point; v * least < R(45.0); point++) {
        v = gc_point(point, &weight);
        real way = v * width, beyond = M(log1p)(-odds * M(expm1)(-way));
        real moved = gc_beta_bells(cumulants, M(log)(near) - way, M(log)(far) + beyond, lower, i, j);
        total += weight * M(exp)((other - R(1.0)) * beyond - rate * way) * moved;
    }
    real density = gc_beta_density(a, b, x), added = raised ? density / whole * far : R(0.0);
    added *= gc_beta_bells(at_once, M(log)(near), M(log)(far), lower, i, j);
    return total * width * near * density + added;
}

/* The derivative of the regularized incomplete beta function I_x(a, b), i times by a and j times by b,
   for i, j <= 12; itself for none. */
static real gc_betainc_by(real a, real b, real x, int64_t i, int64_t j) {
    if (!(x >= R(0.0) && x <= R(1.0) && a > R(0.0) && b > R(0.0)))
        return (real)NAN;
    if (x == R(0.0) || x == R(1.0))
        return i + j ? R(0.0) : x;
    real tail = gc_beta_tail(a, b, x, (int)i, (int)j);
    if (x * (a + b) <= a)
        return tail;
    return i + j ? -tail : R(1.0) - tail;
}

/* I_x(a, b). */
static inline real gc_betainc(real a, real b, real x) {
    return gc_betainc_by(a, b, x, 0, 0);
}
