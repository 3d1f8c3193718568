/* The sum of so many Chebyshev polynomials with these coefficients, the highest first (Clenshaw). */
static inline real gc_chebyshev(real t, int count, const real *coefficients) {
    real total = coefficients[0], before = R(0.0);
    for (int k = 1; k < count - 1; k++) {
        real next = R(2.0) * t * total - before + coefficients[k];
        before = total;
        total = next;
    }
    return t * total - before + coefficients[count - 1];
}

/* J of order 0 for y >= 0: a Chebyshev series up to 8, beyond it of what oscillates (NIST
   Handbook, 10.17). */
static inline real gc_bessel_j_0(real y) {
    static const real near[] = {
        R(1.2218515873961411e-17), R(-7.58850812544754634e-16), R(4.12532059563437393e-14),
        R(-1.94383468673701657e-12), R(7.84869631447946442e-11), R(-2.6792535305576729e-9),
        R(7.60816359241878187e-8), R(-1.76194690776215075e-6), R(0.0000324603288210050808),
        R(-0.000460626166206275048), R(0.0048191800694676045), R(-0.0348937694114088852),
        R(0.158067102332097261), R(-0.370094993872649779), R(0.26517861320333681),
        R(-0.00872344235285222129), R(0.15772797147489012)};
    static const real p[] = {
        R(-2.8808661694828712e-18), R(1.63059192337441847e-17), R(-1.00115137234677858e-16),
        R(6.7480722157338737e-16), R(-5.06903409593523608e-15), R(4.32659574315494056e-14),
        R(-4.30457886992539122e-13), R(5.16826238734919246e-12), R(-7.86409137723707e-11),
        R(1.63064646351513831e-9), R(-5.1705945376060977e-8), R(3.07518478751947462e-6),
        R(-0.000536522046813211742), R(0.999460349347518665)};
    static const real q[] = {
        R(1.30914487172201215e-19), R(-6.19111578735814493e-19), R(3.10824404867381443e-18),
        R(-1.66860652143781463e-17), R(9.66212897030325674e-17), R(-6.09993013164005001e-16),
        R(4.25522504024546112e-15), R(-3.336328185322427e-14), R(3.00614512535170631e-13),
        R(-3.20674742099663474e-12), R(4.22012190466873844e-11), R(-7.27191593686631998e-10),
        R(1.79724572479689918e-8), R(-7.41449841106064726e-7), R(0.000068385199426116496),
        R(-0.0155558546053370091)};
    if (y <= R(8.0))
        return gc_chebyshev(y * y / R(32.0) - R(1.0), 17, near);
    real ratio = R(8.0) / y, t = R(2.0) * ratio * ratio - R(1.0);
    real sine = M(sin)(y), cosine = M(cos)(y);
    real wave = gc_chebyshev(t, 14, p) * (cosine + sine) -
                ratio * gc_chebyshev(t, 16, q) * (sine - cosine);
    return wave / M(sqrt)(R(3.141592653589793) * y);
}

/* J of order 1 for y >= 0: a Chebyshev series up to 8, beyond it of what oscillates (NIST
   Handbook, 10.17). */
static inline real gc_bessel_j_1(real y) {
    static const real near[] = {
        R(3.69126829979293326e-19), R(-2.44419729161904639e-17), R(1.42321440035139423e-15),
        R(-7.22175523965177343e-14), R(3.16015458034800332e-12), R(-1.17802662269588484e-10),
        R(3.68713375909714824e-9), R(-9.52198475675043618e-8), R(1.98587740499151674e-6),
        R(-0.0000325555486685725852), R(0.000405033772835482183), R(-0.00364694060076927596),
        R(0.0222136396549660354), R(-0.0826804917668179066), R(0.160999262357209703),
        R(-0.148975145067652109), R(0.0810448463256581151)};
    static const real p[] = {
        R(3.04929911976658723e-18), R(-1.7312313216116335e-17), R(1.06676891143354125e-16),
        R(-7.22118084227401792e-16), R(5.45267489604471717e-15), R(-4.68422378399048922e-14),
        R(4.69919551523054238e-13), R(-5.7048636403956447e-12), R(8.8168986595823389e-11),
        R(-1.87189074910630661e-9), R(6.17763396064429853e-8), R(-3.98728430048890852e-6),
        R(0.000898989833085940856), R(1.0009030408600137)};
    static const real q[] = {
        R(-1.3765771484849488e-19), R(6.5240811495892603e-19), R(-3.28345198729816146e-18),
        R(1.76763554877647916e-17), R(-1.02691475318232429e-16), R(6.50828295778338395e-16),
        R(-4.56125239507729719e-15), R(3.59677658291652919e-14), R(-3.26431567432789993e-13),
        R(3.51521879496860809e-12), R(-4.68636368817694523e-11), R(8.22919332765055413e-10),
        R(-2.09597813840834225e-8), R(9.13861525795545412e-7), R(-0.0000962772354915707932),
        R(0.0467777870695353252)};
    if (y <= R(8.0))
        return y * gc_chebyshev(y * y / R(32.0) - R(1.0), 17, near);
    real ratio = R(8.0) / y, t = R(2.0) * ratio * ratio - R(1.0);
    real sine = M(sin)(y), cosine = M(cos)(y);
    real wave = gc_chebyshev(t, 14, p) * (sine - cosine) +
                ratio * gc_chebyshev(t, 16, q) * (sine + cosine);
    return wave / M(sqrt)(R(3.141592653589793) * y);
}

/* x to the power n over n!. */
static inline real gc_power_over_factorial(real x, int n) {
    real value = R(1.0);
    for (int k = 1; k <= n; k++)
        value *= x / (real)k;
    return value;
}

/* J of order n for 0 <= y <= n by Miller's algorithm: from far above on, scaled by the sum of all even
   ones (NIST Handbook, 10.12.4). */
static inline real gc_bessel_j_downward(real y, int n) {
    real half = R(0.5) * y, square = half * half;
    real above = R(1.0), here = R(1.0), found = R(0.0), total = R(0.0);
    for (int k = 2 * (n + 14); k > 0; k--) {
        real step = square / (real)(k * (k + 1));
        real next = here - step * above;
        above = here;
        here = next;
        total = k % 2 == 1 ? total * step + here : total;
        found = k - 1 == n ? here : found;
    }
    return found * gc_power_over_factorial(half, n) / (R(2.0) * total - here);
}

/* J, the Bessel function of the first kind, of whole order n. Other orders than 0 and 1 by recurrence
   in the direction in which it is stable (NIST Handbook, 10.6.1). */
static inline real gc_bessel_j(real x, int64_t order) {
    int n = (int)order;
    real y = M(fabs)(x);
    if (x != x || y > LARGEST)
        return x != x ? x : R(0.0);
    real value;
    if (n > 1 && !(y > (real)n))
        value = gc_bessel_j_downward(y, n);
    else {
        real zero = n == 1 ? R(0.0) : gc_bessel_j_0(y);
        value = n == 0 ? zero : gc_bessel_j_1(y);
        for (int k = 1; k < n; k++) {
            real next = (real)(2 * k) / y * value - zero;
            zero = value;
            value = next;
        }
    }
    return n % 2 == 1 && x < R(0.0) ? -value : value;
}

/* exp(-y) I(y) of order 0 for y >= 0 (NIST Handbook, 10.40). */
static inline real gc_bessel_ie_0(real y) {
    static const real low[] = {
        R(-4.41534164647933938e-18), R(3.3307945188222381e-17), R(-2.43127984654795469e-16),
        R(1.71539128555513303e-15), R(-1.16853328779934517e-14), R(7.67618549860493562e-14),
        R(-4.85644678311192946e-13), R(2.95505266312963983e-12), R(-1.72682629144155571e-11),
        R(9.67580903537323691e-11), R(-5.18979560163526291e-10), R(2.65982372468238665e-9),
        R(-1.30002500998624804e-8), R(6.04699502254191895e-8), R(-2.67079385394061173e-7),
        R(1.11738753912010372e-6), R(-4.41673835845875056e-6), R(0.0000164484480707288971),
        R(-0.000057541950100821037), R(0.000188502885095841656), R(-0.000576375574538582366),
        R(0.0016394756169413358), R(-0.00432430999505057594), R(0.0105464603945949983),
        R(-0.0237374148058994688), R(0.0493052842396707085), R(-0.0949010970480476444),
        R(0.171620901522208775), R(-0.304682672343198399), R(0.338397637204738042)};
    static const real high[] = {
        R(1.19365089084598209e-18), R(9.9214754121736986e-19), R(-7.23318048787475395e-18),
        R(-4.83050448594418207e-18), R(4.46562142029676e-17), R(3.46122286769746109e-17),
        R(-2.82762398051658348e-16), R(-3.42548561967721913e-16), R(1.77256013305652638e-15),
        R(3.81168066935262242e-15), R(-9.55484669882830765e-15), R(-4.15056934728722209e-14),
        R(1.54008621752140983e-14), R(3.8527783827421427e-13), R(7.18012445138366623e-13),
        R(-1.79417853150680612e-12), R(-1.32158118404477131e-11), R(-3.14991652796324136e-11),
        R(1.18891471078464383e-11), R(4.94060238822496959e-10), R(3.39623202570838635e-9),
        R(2.26666899049817806e-8), R(2.04891858946906374e-7), R(2.89137052083475648e-6),
        R(0.0000688975834691682398), R(0.00336911647825569409), R(0.402245205507054416)};
    if (y <= R(8.0))
        return gc_chebyshev(R(0.25) * y - R(1.0), 30, low);
    return gc_chebyshev(R(16.0) / y - R(1.0), 27, high) / M(sqrt)(y);
}

/* exp(-y) I(y) of order 1 for y >= 0 (NIST Handbook, 10.40). */
static inline real gc_bessel_ie_1(real y) {
    static const real low[] = {
        R(-3.54158177254213621e-19), R(2.77791411276104637e-18), R(-2.11142121435816608e-17),
        R(1.55363195773620047e-16), R(-1.10559694773538631e-15), R(7.60068429473540693e-15),
        R(-5.04218550472791169e-14), R(3.22379336594557471e-13), R(-1.98397439776494372e-12),
        R(1.17361862988909016e-11), R(-6.66348972350202774e-11), R(3.62559028155211704e-10),
        R(-1.88724975172282929e-9), R(9.38153738649577178e-9), R(-4.44505912879632808e-8),
        R(2.00329475355213526e-7), R(-8.56872026469545474e-7), R(3.47025130813767848e-6),
        R(-0.0000132731636560394358), R(0.0000478156510755005423), R(-0.000161760815825896746),
        R(0.000512285956168575773), R(-0.00151357245063125315), R(0.00415642294431288816),
        R(-0.0105640848946261982), R(0.0247264490306265168), R(-0.0529459812080949914),
        R(0.102643658689847095), R(-0.176416518357834055), R(0.126293593221816827)};
    static const real high[] = {
        R(-1.24219327519489096e-18), R(-9.31417886732688338e-19), R(7.51729631084210481e-18),
        R(4.41434832307170795e-18), R(-4.65030536848935833e-17), R(-3.20952592199342396e-17),
        R(2.96262899764595014e-16), R(3.30820231092092828e-16), R(-1.88035477551078245e-15),
        R(-3.8144030724370078e-15), R(1.04202769841288028e-14), R(4.27244001671195135e-14),
        R(-2.10154184277266431e-14), R(-4.08355111109219732e-13), R(-7.19855177624590851e-13),
        R(2.03562854414708951e-12), R(1.41258074366137813e-11), R(3.25260358301548824e-11),
        R(-1.89749581235054123e-11), R(-5.58974346219658381e-10), R(-3.83538038596423702e-9),
        R(-2.63146884688951951e-8), R(-2.51223623787020893e-7), R(-3.88256480887769039e-6),
        R(-0.000110588938762623716), R(-0.00976109749136146841), R(0.38928811750914006)};
    if (y <= R(8.0))
        return y * gc_chebyshev(R(0.25) * y - R(1.0), 30, low);
    return gc_chebyshev(R(16.0) / y - R(1.0), 27, high) / M(sqrt)(y);
}

/* I of order n over that of order 0, by Miller's algorithm from far above on, for y up to the larger of
   20 and n * n, of which `far` is the root. */
static inline real gc_bessel_i_downward(real y, int n) {
    real half = R(0.5) * y, square = half * half;
    real above = R(1.0), here = R(1.0), found = R(0.0);
    double border = n * n > 20 ? (double)n * n : 20.0;
    for (int k = n + 20 + (int)(9.0 * sqrt(border)); k > 0; k--) {
        real next = here + square / (real)(k * (k + 1)) * above;
        above = here;
        here = next;
        found = k - 1 == n ? here : found;
    }
    return found / here * gc_power_over_factorial(half, n);
}

/* exp(-|x|) I(x), the modified Bessel function of the first kind, of whole order n (NIST Handbook,
   10.29.1). */
static inline real gc_bessel_ie(real x, int64_t order) {
    int n = (int)order;
    real y = M(fabs)(x);
    if (x != x)
        return x;
    real zero = gc_bessel_ie_0(y), value;
    if (n == 0)
        return zero;
    if (n > 1 && !(y > (real)(n * n > 20 ? n * n : 20)))
        value = gc_bessel_i_downward(y, n) * zero;
    else {
        value = gc_bessel_ie_1(y);
        for (int k = 1; k < n; k++) {
            real next = zero - (real)(2 * k) / y * value;
            zero = value;
            value = next;
        }
    }
    return n % 2 == 1 && x < R(0.0) ? -value : value;
}

/* I of whole order n, which grows as exp(|x|). */
static inline real gc_bessel_i(real x, int64_t order) {
    if (M(fabs)(x) > LARGEST)
        return order % 2 == 1 ? x : INFINITY;
    real half = M(exp)(R(0.5) * M(fabs)(x));
    return gc_bessel_ie(x, order) * half * half;
}

/* K of order 0 for y > 0 (NIST Handbook, 10.31, 10.40). */
static inline real gc_bessel_k_0(real y) {
    static const real low[] = {
        R(1.3744654358807509e-16), R(4.25981614279108258e-14), R(1.03496952576336246e-11),
        R(1.90451637722020886e-9), R(2.53479107902614946e-7), R(0.0000228621210311945179),
        R(0.00126461541144692592), R(0.0359799365153615016), R(0.344289899924628487),
        R(-0.267663696616951384)};
    static const real high[] = {
        R(5.30043377117733577e-18), R(-1.64758059398426328e-17), R(5.21039177764355411e-17),
        R(-1.67823112575490064e-16), R(5.51205599940433336e-16), R(-1.84859337792090717e-15),
        R(6.34007647627664597e-15), R(-2.22751332674629636e-14), R(8.03289077506837437e-14),
        R(-2.98009692314817835e-13), R(1.14034058820734423e-12), R(-4.51459788337451918e-12),
        R(1.85594911495492655e-11), R(-7.95748924447739704e-11), R(3.57739728140032845e-10),
        R(-1.69753450938906152e-9), R(8.57403401741422609e-9), R(-4.66048989768794767e-8),
        R(2.76681363944501508e-7), R(-1.83175552271911948e-6), R(0.0000139498137188764994),
        R(-0.000128495495816278026), R(0.00156988388573005337), R(-0.0314481013119645005),
        R(1.22015154103297773)};
    if (y <= R(2.0)) {
        real series = gc_chebyshev(R(0.5) * y * y - R(1.0), 10, low);
        real half = M(exp)(R(0.5) * y);
        real grown = gc_bessel_ie_0(y) * half * half;
        return series - M(log)(R(0.5) * y) * grown;
    }
    return gc_chebyshev(R(4.0) / y - R(1.0), 25, high) * M(exp)(-y) / M(sqrt)(y);
}

/* K of order 1 for y > 0 (NIST Handbook, 10.31, 10.40). */
static inline real gc_bessel_k_1(real y) {
    static const real low[] = {
        R(-7.0238634793862876e-18), R(-2.42744985051936593e-15), R(-6.66690169419932901e-13),
        R(-1.41148839263352776e-10), R(-2.21338763073472586e-8), R(-2.43340614156596823e-6),
        R(-0.000173028895751305206), R(-0.00697572385963986435), R(-0.122611180822657148),
        R(-0.353155960776544876), R(0.762650113669473885)};
    static const real high[] = {
        R(-5.75674448207330245e-18), R(1.79405104788635729e-17), R(-5.68946284919364837e-17),
        R(1.83809357524304543e-16), R(-6.05704727064301782e-16), R(2.03870316623986088e-15),
        R(-7.01983708921476885e-15), R(2.47715442421959868e-14), R(-8.97670518201014607e-14),
        R(3.34841966605224312e-13), R(-1.28917396094982294e-12), R(5.13963967348234354e-12),
        R(-2.12996783842779102e-11), R(9.21831518760531413e-11), R(-4.19035475934192558e-10),
        R(2.01504975519703462e-9), R(-1.0345762465678097e-8), R(5.74108412545004929e-8),
        R(-3.50196060308781254e-7), R(2.40648494783721712e-6), R(-0.0000193619797416608296),
        R(0.000195215518471351631), R(-0.00285781685962277939), R(0.103923736576817238),
        R(1.36031309524222133)};
    if (y <= R(2.0)) {
        real series = gc_chebyshev(R(0.5) * y * y - R(1.0), 11, low);
        real half = M(exp)(R(0.5) * y);
        real grown = gc_bessel_ie_1(y) * half * half;
        return series / y + M(log)(R(0.5) * y) * grown;
    }
    return gc_chebyshev(R(4.0) / y - R(1.0), 25, high) * M(exp)(-y) / M(sqrt)(y);
}

/* K, the modified Bessel function of the second kind, of whole order n, for x >= 0 (NIST Handbook,
   10.29.1). */
static inline real gc_bessel_k(real x, int64_t order) {
    int n = (int)order;
    if (!(x > R(0.0)))
        return x == R(0.0) ? INFINITY : NAN;
    real zero = n == 1 ? R(0.0) : gc_bessel_k_0(x);
    real value = n == 0 ? zero : gc_bessel_k_1(x);
    for (int k = 1; k < n; k++) {
        real next = zero + (real)(2 * k) / x * value;
        zero = value;
        value = next;
    }
    return value;
}
