"""Heat that water carries, by IAPWS R7-97(2012), region 1: written here once more.

`check` holds it against the release's verification table before anything is judged with it.
"""

# Exponents I and J with the coefficient n of each term of equation 7 (table 2).
TERMS = [
    (0, -2, 1.4632971213167e-1),
    (0, -1, -8.4548187169114e-1),
    (0, 0, -3.756360367204),
    (0, 1, 3.3855169168385),
    (0, 2, -9.5791963387872e-1),
    (0, 3, 1.5772038513228e-1),
    (0, 4, -1.6616417199501e-2),
    (0, 5, 8.1214629983568e-4),
    (1, -9, 2.8319080123804e-4),
    (1, -7, -6.0706301565874e-4),
    (1, -1, -1.8990068218419e-2),
    (1, 0, -3.2529748770505e-2),
    (1, 1, -2.1841717175414e-2),
    (1, 3, -5.283835796993e-5),
    (2, -3, -4.7184321073267e-4),
    (2, 0, -3.0001780793026e-4),
    (2, 1, 4.7661393906987e-5),
    (2, 3, -4.4141845330846e-6),
    (2, 17, -7.2694996297594e-16),
    (3, -4, -3.1679644845054e-5),
    (3, 0, -2.8270797985312e-6),
    (3, 6, -8.5205128120103e-10),
    (4, -5, -2.2425281908e-6),
    (4, -2, -6.5171222895601e-7),
    (4, 10, -1.4341729937924e-13),
    (5, -8, -4.0516996860117e-7),
    (8, -11, -1.2734301741641e-9),
    (8, -6, -1.7424871230634e-10),
    (21, -29, -6.8762131295531e-19),
    (23, -31, 1.4478307828521e-20),
    (29, -38, 2.6335781662795e-23),
    (30, -39, -1.1947622640071e-23),
    (31, -40, 1.8228094581404e-24),
    (32, -41, -9.3537087292458e-26),
]
GAS_CONSTANT = 461.526


def state(kelvin, megapascal):
    """Specific volume in m3/kg and enthalpy in J/kg of liquid water."""
    pi, tau = megapascal / 16.53, 1386 / kelvin
    by_pi = sum(-n * i * (7.1 - pi) ** (i - 1) * (tau - 1.222) ** j for i, j, n in TERMS)
    by_tau = sum(n * j * (7.1 - pi) ** i * (tau - 1.222) ** (j - 1) for i, j, n in TERMS)
    volume = pi * by_pi * GAS_CONSTANT * kelvin / (megapascal * 1e6)
    return volume, tau * by_tau * GAS_CONSTANT * kelvin


def heat(volume_m3, flow_celsius, return_celsius, sensor_celsius, megapascal):
    """Joules given off by a volume that passed a sensor at a temperature (EN 1434-1)."""
    enthalpy = lambda celsius: state(celsius + 273.15, megapascal)[1]
    specific_volume = state(sensor_celsius + 273.15, megapascal)[0]
    return volume_m3 / specific_volume * (enthalpy(flow_celsius) - enthalpy(return_celsius))


def check(comparison):
    """Table 5 of the release: kelvins, MPa, m3/kg, kJ/kg, to their nine digits."""
    for kelvin, megapascal, volume, enthalpy in (
        (300, 3, 0.100215168e-2, 0.115331273e3),
        (300, 80, 0.971180894e-3, 0.184142828e3),
        (500, 3, 0.120241800e-2, 0.975542239e3),
    ):
        found = state(kelvin, megapascal)
        name = f"IF97 at {kelvin} K and {megapascal} MPa"
        comparison.true(f"{name}: volume", abs(found[0] / volume - 1) < 1e-8, found[0])
        comparison.true(f"{name}: enthalpy", abs(found[1] / 1e3 / enthalpy - 1) < 1e-8, found[1])
