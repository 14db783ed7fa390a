"""Every page as each of its readers, in five widths and two themes; with text of twice the size, in forced colours and
printed. One contact sheet per page in the folder that is named.

    pages_matrix.py FOLDER
"""

import base64
import html
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "conformance"))

import pages_browser as pages
from peer.bench import Comparison

WIDTHS = [320, 360, 768, 1280, 1920]
THEMES = ["light", "dark"]
ROLES = ["ann", "adam", "grid"]
# A4 at 96 dots an inch, which a printed page has to fit.
PAPER = 794


def media(driver, *features, kind=""):
    values = [{"name": name, "value": value} for name, value in features]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": kind, "features": values})


def picture(driver, width, pictures, label):
    size = driver.execute_script("return document.documentElement.scrollHeight")
    pages.resize(driver, width, min(max(size, 400), 4000))
    pictures.append((label, driver.get_screenshot_as_png()))


def forbidden(driver):
    """Whether a page is nowhere for its reader."""
    return driver.execute_script("return document.querySelector('main h1')?.innerText") == "Not here"


def in_all_ways(comparison, driver, rest, path, source, who, pictures):
    label = f"{who or 'nobody'} {path}"
    for theme in THEMES:
        media(driver, ("prefers-color-scheme", theme))
        for width in WIDTHS:
            pages.resize(driver, width, 800)
            driver.get(rest + path)
            comparison.same(f"{label}: {width} {theme}: too wide", pages.is_too_wide(driver), False)
            picture(driver, width, pictures, f"{who or 'nobody'} {width} {theme}")
        comparison.same(f"{label}: {theme}: axe", pages.axe(driver, source), [])
    media(driver)
    pages.resize(driver, 1280, 900)
    driver.get(rest + path)
    driver.execute_script("document.documentElement.style.fontSize = '200%'")
    comparison.same(f"{label}: text of twice the size: too wide", pages.is_too_wide(driver), False)
    picture(driver, 1280, pictures, f"{who or 'nobody'} 200 %")
    media(driver, ("forced-colors", "active"))
    driver.get(rest + path)
    is_forced = driver.execute_script("return matchMedia('(forced-colors: active)').matches")
    comparison.same(f"{label}: colours are forced", is_forced, True)
    picture(driver, 1280, pictures, f"{who or 'nobody'} forced colours")
    media(driver, kind="print")
    pages.resize(driver, PAPER, 1123)
    comparison.same(f"{label}: printed: too wide", pages.is_too_wide(driver), False)
    picture(driver, PAPER, pictures, f"{who or 'nobody'} printed")
    media(driver)
    entries = [one["message"] for one in driver.get_log("browser") if "404" not in one["message"]]
    comparison.same(f"{label}: console", entries, [])


def sheet(driver, name, pictures, folder):
    """All pictures of a page on one."""
    figures = "".join(
        f'<figure><figcaption>{html.escape(label)}</figcaption><img height="420" src="data:image/png;base64,'
        f'{base64.b64encode(png).decode()}"></figure>' for label, png in pictures)
    style = "body{font:14px sans-serif;background:#777;color:#fff}figure{display:inline-block;margin:6px}"
    file = os.path.join(folder, f"{name}.html")
    with open(file, "w", encoding="utf-8") as out:
        out.write(f"<!doctype html><title>{name}</title><style>{style}</style>{figures}")
    media(driver)
    pages.resize(driver, 1900, 900)
    driver.get("file://" + os.path.abspath(file))
    size = driver.execute_script("return document.documentElement.scrollHeight")
    pages.resize(driver, 1900, min(size, 8000))
    driver.save_screenshot(os.path.join(folder, f"{name}.png"))
    os.remove(file)


def main():
    folder = sys.argv[1]
    os.makedirs(folder, exist_ok=True)
    with open(pages.axe_source(), encoding="utf-8") as file:
        source = file.read()
    comparison = Comparison()
    with tempfile.TemporaryDirectory() as data:
        household = pages.Household(data)
        rest = household.platform.rest
        household.platform.get("/sitewhere/api/users",
                               {"username": "grid", "password": pages.PASSWORD, "roles": ["utility"]})
        drivers = {None: pages.browser(1280, 900, "light")}
        for who in ROLES:
            drivers[who] = pages.browser(1280, 900, "light")
            pages.sign_in(drivers[who], rest, who)
        viewer = pages.browser(1900, 900, "light")
        for path, main_reader, _ in pages.PAGES:
            pictures = []
            for who, driver in drivers.items():
                driver.get(rest + path)
                if who == main_reader or (who and not forbidden(driver)):
                    in_all_ways(comparison, driver, rest, path, source, who, pictures)
            name = path.strip("/").replace("/", "-").replace("?", "-").replace("=", "-") or "home"
            sheet(viewer, name, pictures, folder)
        for driver in [*drivers.values(), viewer]:
            driver.quit()
        household.meter.close()
        household.platform.stop()
    comparison.end()


if __name__ == "__main__":
    main()
