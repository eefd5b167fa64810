"""The camera, played by videos of our own: the right word each time, and one picture by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from tests.web.browser import SECONDS, Visit, chromium, require_page, served

require_page()

from tests.web import videos  # noqa: E402

from fiqa import web  # noqa: E402

SAID = {
    "nobody": "Look into the camera",
    "dark": "Find more light, from the front",
    "turned": "Turn your face to the camera",
    "blurred": "Hold still, and let the camera focus",
    "good": "Hold still …",
}
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    scenes = [*((name, 3.5) for name in videos.SCENES[:-1]), ("good", 30.0)]
    video = videos.write(tmp_path_factory.mktemp("camera") / "camera.mjpeg", scenes)
    with chromium(
        "--use-fake-device-for-media-stream", f"--use-file-for-fake-video-capture={video}"
    ) as browser:
        yield browser


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with served(web.write(tmp_path_factory.mktemp("page") / "site")) as address:
        yield address


def visit_with(browser: Any, address: str, *, permissions: list[str]) -> Visit:
    context = browser.new_context(service_workers="block", locale="en-GB", permissions=permissions)
    visit = Visit(context.new_page())
    visit.watch()
    visit.open(address)
    return visit


def listen(visit: Visit) -> list[str]:
    """Open the camera, which plays the video from its beginning → what is said until a picture is taken."""
    page = visit.page
    page.locator("#open-camera").click()
    heard: list[str] = []
    until = time.monotonic() + SECONDS / 1000
    while time.monotonic() < until and page.locator("#keep").is_hidden():
        text = page.locator("#instruction").inner_text()
        if text in SAID.values() and text not in heard[-1:]:
            heard.append(text)
        page.wait_for_timeout(50)
    page.locator(".camera-result .score").wait_for(timeout=SECONDS)
    return heard


def test_one_instruction_at_a_time_and_one_picture(browser: Any, address: str) -> None:
    visit = visit_with(browser, address, permissions=["camera"])
    page = visit.page
    said = page.locator("#instruction[role=status]")
    assert said.inner_text() == ""  # it is there before it speaks
    for attempt in range(3):
        heard = listen(visit)
        # never a wrong word; a machine with much else to do may sleep through a scene, and sees it again
        assert heard == [text for text in SAID.values() if text in heard]
        if heard == list(SAID.values()) or attempt == 2:
            break
        page.locator("#close-camera").click()
    assert heard == list(SAID.values())
    assert said.inner_text().startswith("Picture taken: ")
    assert int(page.locator(".camera-result .score strong").inner_text()) >= 90
    page.locator("#retake").click()
    page.locator(".camera-result .score").wait_for(timeout=SECONDS)  # it stays good: another one by itself
    page.locator("#keep").click()
    assert page.locator("#list .name").all_inner_texts() == [f"Camera picture {attempt + 2}.png"]
    assert page.locator("#stage").is_hidden()
    assert said.inner_text() == ""
    assert visit.complaints == []
    # private: nothing went up, and nothing to anybody else
    assert [url for method, url, body in visit.requests if method != "GET" or body] == []
    page.context.close()


def test_a_refused_camera_says_how_to_allow_it(browser: Any, address: str) -> None:
    visit = visit_with(browser, address, permissions=[])
    visit.page.locator("#open-camera").click()
    visit.page.get_by_text("The camera is blocked. To allow it,").wait_for()
    visit.page.locator("#close-camera").click()
    assert visit.page.locator("#choose").is_visible()
    visit.page.context.close()


def test_front_and_back_camera_take_turns(browser: Any, address: str) -> None:
    visit = visit_with(browser, address, permissions=["camera"])
    page = visit.page
    # of the fake devices none has a back: what is asked for is what counts
    page.evaluate(
        """() => {
          window.asked = [];
          const devices = navigator.mediaDevices, real = devices.getUserMedia.bind(devices);
          devices.getUserMedia = (wanted) => {
            window.asked.push(wanted.video.facingMode);
            return real(wanted);
          };
        }"""
    )
    page.locator("#open-camera").click()
    for facing in ("user", "environment", "user"):
        page.wait_for_function("facing => window.asked.at(-1) === facing", arg=facing)
        page.wait_for_function(  # a mirror shows a person from the front only
            "mirrored => { const {classList, readyState} = document.querySelector('#video');"
            " return readyState >= 2 && classList.contains('mirrored') === mirrored; }",
            arg=facing == "user",
        )
        page.get_by_role("button", name="Other camera").click()
    page.locator("#close-camera").click()
    assert visit.complaints == []
    page.context.close()
