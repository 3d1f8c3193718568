"""Bessel functions of whole order, copied into modules as they stand here.

J, I and K of the orders 0 and 1 are Chebyshev series: of the functions up to 8 or 2, beyond it of
what is left without what oscillates or decays (NIST Handbook, 10.17, 10.31, 10.40). Their
coefficients are computed from the functions to 60 digits. Other orders follow by recurrence (NIST,
10.6.1, 10.29.1) in the direction in which it is stable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from graphc.later import Later

if TYPE_CHECKING:
    import numpy as np
else:
    np = Later("numpy")  # that modules need it is no reason for compiling to


def _chebyshev(t: Any, coefficients: tuple[float, ...]) -> Any:
    """The sum of Chebyshev polynomials with these coefficients, the highest first (Clenshaw)."""
    total, before = coefficients[0] + 0 * t, 0 * t
    for coefficient in coefficients[1:-1]:
        total, before = 2 * t * total - before + coefficient, total
    return t * total - before + coefficients[-1]


def _bessel_j(x: Any, n: int) -> Any:
    """J_n(x), the Bessel function of the first kind."""
    y = np.abs(x)
    large = np.where(np.isinf(y), 8, np.maximum(y, 8))
    zero, one = _bessel_j0(y, large), _bessel_j1(y, large)
    for k in range(1, n):
        zero, one = one, 2 * k / np.maximum(y, n) * one - zero
    value = zero if n == 0 else one
    if n > 1:
        value = np.where(y > n, value, _bessel_j_downward(np.minimum(y, n), n))
    value = np.where(np.isinf(y), 0, value)
    return (np.where(x < 0, -value, value) if n % 2 else value)[()]


def _bessel_j0(y: Any, large: Any) -> Any:
    t = np.minimum(y, 8) ** 2 / 32 - 1
    c = (1.2218515873961411e-17, -7.58850812544754634e-16, 4.12532059563437393e-14,
         -1.94383468673701657e-12, 7.84869631447946442e-11, -2.6792535305576729e-9,
         7.60816359241878187e-8, -1.76194690776215075e-6, 0.0000324603288210050808,
         -0.000460626166206275048, 0.0048191800694676045, -0.0348937694114088852,
         0.158067102332097261, -0.370094993872649779, 0.26517861320333681,
         -0.00872344235285222129, 0.15772797147489012)  # fmt: skip
    near = _chebyshev(t, c)
    ratio = 8 / large
    t = 2 * ratio * ratio - 1
    p = (-2.8808661694828712e-18, 1.63059192337441847e-17, -1.00115137234677858e-16,
         6.7480722157338737e-16, -5.06903409593523608e-15, 4.32659574315494056e-14,
         -4.30457886992539122e-13, 5.16826238734919246e-12, -7.86409137723707e-11,
         1.63064646351513831e-9, -5.1705945376060977e-8, 3.07518478751947462e-6,
         -0.000536522046813211742, 0.999460349347518665)  # fmt: skip
    q = (1.30914487172201215e-19, -6.19111578735814493e-19, 3.10824404867381443e-18,
         -1.66860652143781463e-17, 9.66212897030325674e-17, -6.09993013164005001e-16,
         4.25522504024546112e-15, -3.336328185322427e-14, 3.00614512535170631e-13,
         -3.20674742099663474e-12, 4.22012190466873844e-11, -7.27191593686631998e-10,
         1.79724572479689918e-8, -7.41449841106064726e-7, 0.000068385199426116496,
         -0.0155558546053370091)  # fmt: skip
    sine, cosine = np.sin(large), np.cos(large)
    wave = _chebyshev(t, p) * (cosine + sine) - ratio * _chebyshev(t, q) * (sine - cosine)
    return np.where(y <= 8, near, wave / np.sqrt(np.pi * large))


def _bessel_j1(y: Any, large: Any) -> Any:
    small = np.minimum(y, 8)
    t = small**2 / 32 - 1
    c = (3.69126829979293326e-19, -2.44419729161904639e-17, 1.42321440035139423e-15,
         -7.22175523965177343e-14, 3.16015458034800332e-12, -1.17802662269588484e-10,
         3.68713375909714824e-9, -9.52198475675043618e-8, 1.98587740499151674e-6,
         -0.0000325555486685725852, 0.000405033772835482183, -0.00364694060076927596,
         0.0222136396549660354, -0.0826804917668179066, 0.160999262357209703,
         -0.148975145067652109, 0.0810448463256581151)  # fmt: skip
    near = small * _chebyshev(t, c)
    ratio = 8 / large
    t = 2 * ratio * ratio - 1
    p = (3.04929911976658723e-18, -1.7312313216116335e-17, 1.06676891143354125e-16,
         -7.22118084227401792e-16, 5.45267489604471717e-15, -4.68422378399048922e-14,
         4.69919551523054238e-13, -5.7048636403956447e-12, 8.8168986595823389e-11,
         -1.87189074910630661e-9, 6.17763396064429853e-8, -3.98728430048890852e-6,
         0.000898989833085940856, 1.0009030408600137)  # fmt: skip
    q = (-1.3765771484849488e-19, 6.5240811495892603e-19, -3.28345198729816146e-18,
         1.76763554877647916e-17, -1.02691475318232429e-16, 6.50828295778338395e-16,
         -4.56125239507729719e-15, 3.59677658291652919e-14, -3.26431567432789993e-13,
         3.51521879496860809e-12, -4.68636368817694523e-11, 8.22919332765055413e-10,
         -2.09597813840834225e-8, 9.13861525795545412e-7, -0.0000962772354915707932,
         0.0467777870695353252)  # fmt: skip
    sine, cosine = np.sin(large), np.cos(large)
    wave = _chebyshev(t, p) * (sine - cosine) + ratio * _chebyshev(t, q) * (sine + cosine)
    return np.where(y <= 8, near, wave / np.sqrt(np.pi * large))


def _bessel_j_downward(y: Any, n: int) -> Any:
    """J_n(y) for 0 ≤ y ≤ n by Miller's algorithm: with J_k = (y/2)^k / k! a_k, from far above on,
    and the sum of all even ones (NIST, 10.12.4) makes the scale."""
    half = 0.5 * y
    square = half * half
    above, here, found, total = 0 * y + 1, 0 * y + 1, 0 * y, 0 * y
    for k in range(2 * (n + 14), 0, -1):
        above, here = here, here - square / (k * (k + 1)) * above
        total = total * square / (k * (k + 1)) + here if k % 2 else total
        found = here if k - 1 == n else found
    total = 2 * total - here
    return found * _power_over_factorial(half, n) / total


def _power_over_factorial(x: Any, n: int) -> Any:
    """x^n / n!."""
    value = 0 * x + 1
    for k in range(1, n + 1):
        value = value * (x / k)
    return value


def _bessel_i(x: Any, n: int) -> Any:
    """I_n(x), the modified Bessel function of the first kind, which grows as exp(|x|)."""
    y = np.where(np.isinf(x), 0, x)
    half = np.exp(0.5 * np.abs(y))
    value = _bessel_ie(y, n) * half * half
    return np.where(np.isinf(x), x if n % 2 else np.inf, value)[()]


def _bessel_ie(x: Any, n: int) -> Any:
    """exp(-|x|) I_n(x)."""
    y = np.abs(x)
    zero, one = _bessel_i0e(y), _bessel_i1e(y)
    value = zero if n == 0 else one
    if n > 1:
        border = max(20, n * n)
        value = np.where(y > border, value, _bessel_i_downward(np.minimum(y, border), n) * zero)
        large = np.maximum(y, border)
        for k in range(1, n):
            zero, one = one, zero - 2 * k / large * one
        value = np.where(y > border, one, value)
    return (np.where(x < 0, -value, value) if n % 2 else value)[()]


def _bessel_i0e(y: Any) -> Any:
    t = 0.25 * np.minimum(y, 8) - 1
    low = (-4.41534164647933938e-18, 3.3307945188222381e-17, -2.43127984654795469e-16,
           1.71539128555513303e-15, -1.16853328779934517e-14, 7.67618549860493562e-14,
           -4.85644678311192946e-13, 2.95505266312963983e-12, -1.72682629144155571e-11,
           9.67580903537323691e-11, -5.18979560163526291e-10, 2.65982372468238665e-9,
           -1.30002500998624804e-8, 6.04699502254191895e-8, -2.67079385394061173e-7,
           1.11738753912010372e-6, -4.41673835845875056e-6, 0.0000164484480707288971,
           -0.000057541950100821037, 0.000188502885095841656, -0.000576375574538582366,
           0.0016394756169413358, -0.00432430999505057594, 0.0105464603945949983,
           -0.0237374148058994688, 0.0493052842396707085, -0.0949010970480476444,
           0.171620901522208775, -0.304682672343198399, 0.338397637204738042)  # fmt: skip
    near = _chebyshev(t, low)
    t = 16 / np.maximum(y, 8) - 1
    high = (1.19365089084598209e-18, 9.9214754121736986e-19, -7.23318048787475395e-18,
            -4.83050448594418207e-18, 4.46562142029676e-17, 3.46122286769746109e-17,
            -2.82762398051658348e-16, -3.42548561967721913e-16, 1.77256013305652638e-15,
            3.81168066935262242e-15, -9.55484669882830765e-15, -4.15056934728722209e-14,
            1.54008621752140983e-14, 3.8527783827421427e-13, 7.18012445138366623e-13,
            -1.79417853150680612e-12, -1.32158118404477131e-11, -3.14991652796324136e-11,
            1.18891471078464383e-11, 4.94060238822496959e-10, 3.39623202570838635e-9,
            2.26666899049817806e-8, 2.04891858946906374e-7, 2.89137052083475648e-6,
            0.0000688975834691682398, 0.00336911647825569409, 0.402245205507054416)  # fmt: skip
    far = _chebyshev(t, high)
    return np.where(y <= 8, near, far / np.sqrt(np.maximum(y, 8)))


def _bessel_i1e(y: Any) -> Any:
    small = np.minimum(y, 8)
    t = 0.25 * small - 1
    low = (-3.54158177254213621e-19, 2.77791411276104637e-18, -2.11142121435816608e-17,
           1.55363195773620047e-16, -1.10559694773538631e-15, 7.60068429473540693e-15,
           -5.04218550472791169e-14, 3.22379336594557471e-13, -1.98397439776494372e-12,
           1.17361862988909016e-11, -6.66348972350202774e-11, 3.62559028155211704e-10,
           -1.88724975172282929e-9, 9.38153738649577178e-9, -4.44505912879632808e-8,
           2.00329475355213526e-7, -8.56872026469545474e-7, 3.47025130813767848e-6,
           -0.0000132731636560394358, 0.0000478156510755005423, -0.000161760815825896746,
           0.000512285956168575773, -0.00151357245063125315, 0.00415642294431288816,
           -0.0105640848946261982, 0.0247264490306265168, -0.0529459812080949914,
           0.102643658689847095, -0.176416518357834055, 0.126293593221816827)  # fmt: skip
    near = small * _chebyshev(t, low)
    t = 16 / np.maximum(y, 8) - 1
    high = (-1.24219327519489096e-18, -9.31417886732688338e-19, 7.51729631084210481e-18,
            4.41434832307170795e-18, -4.65030536848935833e-17, -3.20952592199342396e-17,
            2.96262899764595014e-16, 3.30820231092092828e-16, -1.88035477551078245e-15,
            -3.8144030724370078e-15, 1.04202769841288028e-14, 4.27244001671195135e-14,
            -2.10154184277266431e-14, -4.08355111109219732e-13, -7.19855177624590851e-13,
            2.03562854414708951e-12, 1.41258074366137813e-11, 3.25260358301548824e-11,
            -1.89749581235054123e-11, -5.58974346219658381e-10, -3.83538038596423702e-9,
            -2.63146884688951951e-8, -2.51223623787020893e-7, -3.88256480887769039e-6,
            -0.000110588938762623716, -0.00976109749136146841, 0.38928811750914006)  # fmt: skip
    far = _chebyshev(t, high)
    return np.where(y <= 8, near, far / np.sqrt(np.maximum(y, 8)))


def _bessel_i_downward(y: Any, n: int) -> Any:
    """I_n(y) / I_0(y) by Miller's algorithm: with I_k = (y/2)^k / k! a_k, from far above on."""
    half = 0.5 * y
    square = half * half
    above, here, found = 0 * y + 1, 0 * y + 1, 0 * y
    for k in range(n + 20 + int(9 * max(20, n * n) ** 0.5), 0, -1):
        above, here = here, here + square / (k * (k + 1)) * above
        found = here if k - 1 == n else found
    return found / here * _power_over_factorial(half, n)


def _bessel_k(x: Any, n: int) -> Any:
    """K_n(x), the modified Bessel function of the second kind, of x ≥ 0."""
    y = np.where(x > 0, x, 1)
    zero, one = _bessel_k0(y), _bessel_k1(y)
    for k in range(1, n):
        zero, one = one, zero + 2 * k / y * one
    value = zero if n == 0 else one
    return np.where(x == 0, np.inf, np.where(x > 0, value, np.nan))[()]


def _bessel_k0(y: Any) -> Any:
    small = np.minimum(y, 2)
    low = (1.3744654358807509e-16, 4.25981614279108258e-14, 1.03496952576336246e-11,
           1.90451637722020886e-9, 2.53479107902614946e-7, 0.0000228621210311945179,
           0.00126461541144692592, 0.0359799365153615016, 0.344289899924628487,
           -0.267663696616951384)  # fmt: skip
    near = _chebyshev(0.5 * small * small - 1, low)
    near = near - np.log(0.5 * small) * _bessel_i(small, 0)
    large = np.maximum(y, 2)
    high = (5.30043377117733577e-18, -1.64758059398426328e-17, 5.21039177764355411e-17,
            -1.67823112575490064e-16, 5.51205599940433336e-16, -1.84859337792090717e-15,
            6.34007647627664597e-15, -2.22751332674629636e-14, 8.03289077506837437e-14,
            -2.98009692314817835e-13, 1.14034058820734423e-12, -4.51459788337451918e-12,
            1.85594911495492655e-11, -7.95748924447739704e-11, 3.57739728140032845e-10,
            -1.69753450938906152e-9, 8.57403401741422609e-9, -4.66048989768794767e-8,
            2.76681363944501508e-7, -1.83175552271911948e-6, 0.0000139498137188764994,
            -0.000128495495816278026, 0.00156988388573005337, -0.0314481013119645005,
            1.22015154103297773)  # fmt: skip
    far = _chebyshev(4 / large - 1, high)
    return np.where(y <= 2, near, far * np.exp(-large) / np.sqrt(large))


def _bessel_k1(y: Any) -> Any:
    small = np.minimum(y, 2)
    low = (-7.0238634793862876e-18, -2.42744985051936593e-15, -6.66690169419932901e-13,
           -1.41148839263352776e-10, -2.21338763073472586e-8, -2.43340614156596823e-6,
           -0.000173028895751305206, -0.00697572385963986435, -0.122611180822657148,
           -0.353155960776544876, 0.762650113669473885)  # fmt: skip
    near = _chebyshev(0.5 * small * small - 1, low)
    near = near / small + np.log(0.5 * small) * _bessel_i(small, 1)
    large = np.maximum(y, 2)
    high = (-5.75674448207330245e-18, 1.79405104788635729e-17, -5.68946284919364837e-17,
            1.83809357524304543e-16, -6.05704727064301782e-16, 2.03870316623986088e-15,
            -7.01983708921476885e-15, 2.47715442421959868e-14, -8.97670518201014607e-14,
            3.34841966605224312e-13, -1.28917396094982294e-12, 5.13963967348234354e-12,
            -2.12996783842779102e-11, 9.21831518760531413e-11, -4.19035475934192558e-10,
            2.01504975519703462e-9, -1.0345762465678097e-8, 5.74108412545004929e-8,
            -3.50196060308781254e-7, 2.40648494783721712e-6, -0.0000193619797416608296,
            0.000195215518471351631, -0.00285781685962277939, 0.103923736576817238,
            1.36031309524222133)  # fmt: skip
    far = _chebyshev(4 / large - 1, high)
    return np.where(y <= 2, near, far * np.exp(-large) / np.sqrt(large))


HELPERS: Mapping[str, Callable[..., Any]] = {
    "bessel_j": _bessel_j,
    "bessel_i": _bessel_i,
    "bessel_ie": _bessel_ie,
    "bessel_k": _bessel_k,
}
"""What kernels call of this file, by their names for it."""
