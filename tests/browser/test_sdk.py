"""The script tag and its SDK, on pages of another origin."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.faults.web import Web
from tests.model_server import ModelServer

from .frames import Shown
from .site import Site

STUB = """<script>
  window.Mentor ||= (...call) => new Promise((yes, no) => (Mentor.q ||= []).push([call, yes, no]));
</script>"""
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>A course page</title>
<body><main id="lesson"><h1>Cells</h1><p>They divide.</p></main>
<div id="place" style="inline-size: 420px; block-size: 600px"></div>
%s</body></html>"""


class Host:
    """A page with the script in it."""

    def __init__(self, page: Page, web: Web, school: Site) -> None:
        self.page, self.web, self.school = page, web, school

    def open(self, before: str = "", attributes: str = 'data-mentor="coach"', after: str = "") -> Host:
        tag = f'<script src="{self.web.url}/static/sdk.js" data-tenant="school" {attributes} async></script>'
        self.page.goto(self.school.put("/page", PAGE % (STUB + before + tag + after)))
        return self

    def mentor(self, *call: Any) -> Any:
        """`Mentor(…)`, and what its promise gives, as far as JSON can say it."""
        return self.page.evaluate(
            "async (call) => JSON.parse(JSON.stringify(await Mentor(...call) ?? null))", call
        )

    @property
    def button(self) -> Any:
        return self.page.get_by_role("button", name="Chat")

    @property
    def frame(self) -> Shown:
        """Inside the bubble or the place."""
        for _ in range(100):
            found = self.page.frame(url=lambda url: "/embed/" in url)
            if found is not None:
                return Shown(found)
            self.page.wait_for_timeout(50)
        raise AssertionError("the frame is not there")


@pytest.fixture
def host(page: Page, web: Web, school: Site) -> Host:
    return Host(page, web, school)


def prompts(model: ModelServer) -> list[str]:
    return [json.loads(body)["messages"][-1]["content"] for body in model.received]


def test_a_bubble_opens_answers_and_closes(host: Host, model: ModelServer) -> None:
    host.open()
    expect(host.button).to_have_attribute("aria-expanded", "false")
    host.button.click()
    expect(host.frame.prompt).to_be_focused()
    assert host.frame.ask("Hello?") == "You said: Hello?"
    host.frame.prompt.press("Escape")
    expect(host.button).to_be_focused()
    assert host.page.frame(url=lambda url: "/embed/" in url) is not None


def test_calls_before_the_script_has_loaded_are_made_up_for(host: Host, model: ModelServer) -> None:
    before = """<script>
      window.done = Promise.all([
        Mentor('setMetadata', {stateCode: 'NY'}), Mentor('setMetadata', {stateCode: 'CA'}), Mentor('open'),
      ]);
    </script>"""
    host.open(before=before)
    first, second, _ = host.page.evaluate("async () => JSON.parse(JSON.stringify(await done))")
    assert first["applied"] is False and first["replaced"] is True
    assert second == {"applied": True, "version": 0, "pending": True, "warnings": [], "stored": {}}
    host.frame.ask("Where am I?")
    assert "stateCode: CA" in prompts(model)[-1] and "NY" not in prompts(model)[-1]


def test_a_promise_tells_what_became_of_each_metadata(host: Host, model: ModelServer) -> None:
    host.open(attributes='data-mentor="coach" data-container="#place"')
    assert host.mentor("setMetadata", [1])["applied"] is False
    host.page.evaluate(
        """() => { window.first = Mentor('setMetadata', {a: 1}).then(({stored}) => stored);
                   window.second = Mentor('setMetadata', {a: 2}).then(({stored}) => stored); }"""
    )
    host.frame.ask("Now?")
    assert host.page.evaluate("() => first")["replaced"] is True
    assert host.page.evaluate("() => second") == {
        "applied": True,
        "version": 1,
        "changed": True,
        "warnings": [],
    }
    assert host.mentor("setMetadata", {"a": 2})["pending"] is False


def test_before_a_message_goes_the_page_is_asked_for_its_context(host: Host, model: ModelServer) -> None:
    after = """<script>
      let clicks = 0;
      Mentor('beforeSend', async () => {
        await new Promise((resolve) => setTimeout(resolve, 100));
        clicks += 1;
        return {metadata: {clicks}};
      });
      Mentor('setPageContent', () => document.getElementById('lesson'));
    </script>"""
    host.open(after=after, attributes='data-mentor="coach" data-container="#place"')
    host.frame.ask("One?")
    host.page.evaluate("() => document.querySelector('#lesson p').textContent = 'They grow.'")
    host.frame.ask("Two?")
    one, two = prompts(model)
    assert "clicks: 1" in one and "Cells\n" in one and "They divide." in one
    assert "clicks: 2" in two and "They grow." in two


def test_a_hook_that_never_answers_holds_a_message_for_two_seconds(host: Host, model: ModelServer) -> None:
    after = "<script>Mentor('beforeSend', () => new Promise(() => {}));</script>"
    host.open(after=after, attributes='data-mentor="coach" data-container="#place"')
    host.mentor("setMetadata", {"kept": True})
    assert host.frame.ask("Still?").startswith("You said: Still?")
    assert "kept: true" in prompts(model)[-1]


def test_start_begins_another_conversation_with_another_mentor(host: Host, model: ModelServer) -> None:
    host.open()
    told = host.mentor("start", "quiet", {"plan": "free"}, True)
    assert told["applied"] is True
    expect(host.frame.frame.get_by_text("What are you preparing for?")).to_be_visible()
    host.frame.ask("Hello?")
    assert "plan: free" in prompts(model)[-1]


def test_start_again_forgets_what_was_said_and_known(host: Host, model: ModelServer) -> None:
    host.open(attributes='data-mentor="coach" data-container="#place"')
    host.mentor("setMetadata", {"secret": 1})
    host.frame.ask("One")
    host.mentor("start", None, {"plan": "free"})
    host.frame.ask("Two")
    assert "plan: free" in prompts(model)[-1] and b"secret" not in model.received[-1]
    assert b"One" not in model.received[-1]


def test_events_tell_what_happens_and_not_what_is_said(host: Host) -> None:
    after = """<script>
      window.told = [];
      for (const event of ['ready', 'open', 'close', 'message', 'context'])
        Mentor('on', event, (detail) => told.push([event, detail]));
    </script>"""
    host.open(after=after)
    host.mentor("setMetadata", {"a": 1})
    host.button.click()
    host.frame.ask("A secret")
    host.mentor("close")
    told = host.page.evaluate("() => told")
    assert [event for event, _ in told] == ["ready", "open", "context", "message", "message", "close"]
    assert told[3][1] == {"role": "user", "status": "complete", "version": 1}
    assert "secret" not in json.dumps(told)


def test_a_closed_bubble_opens_no_socket(host: Host) -> None:
    sockets: list[Any] = []
    host.page.on("websocket", lambda socket: sockets.append(socket))
    host.open()
    assert host.mentor("setMetadata", {"a": 1})["applied"] is True
    host.page.wait_for_timeout(500)
    assert sockets == []
    host.mentor("open")
    host.frame.status("Ready")
    host.page.wait_for_timeout(300)
    assert len(sockets) == 1


def test_two_mentors_on_one_page_keep_apart(
    page: Page, web: Web, school: Site, model: ModelServer, complaints: list[str]
) -> None:
    script = f"""<div id="other" style="inline-size: 420px; block-size: 500px"></div><script type="module">
      import {{ create }} from '{web.url}/static/sdk/index.js';
      window.left = create({{tenant: 'school', mentor: 'coach', container: '#place', metadata: {{side: 'left'}}}});
      window.right = create({{tenant: 'school', mentor: 'anywhere', container: '#other', metadata: {{side: 'right'}}}});
      window.done = true;
    </script>"""
    page.goto(school.put("/two", PAGE % script))
    page.wait_for_function("() => window.done")
    page.wait_for_timeout(500)
    for mentor, side in (("coach", "left"), ("anywhere", "right")):
        found = page.frame(url=lambda url, mentor=mentor: f"/{mentor}/" in url)
        assert found is not None
        Shown(found).ask("Which side?")
        assert f"side: {side}" in prompts(model)[-1]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (["dance"], 'knows no "dance"'),
        (["init", {"mentor": ""}], "needs a mentor"),
        (["init", {"container": "#no"}], "#no"),
    ],
)
def test_a_mistake_is_told_by_a_rejected_promise(host: Host, call: list[Any], words: str) -> None:
    host.open()
    error = host.page.evaluate(
        "(call) => Mentor(...call).then(() => 'nothing', (error) => error.message)", call
    )
    assert words in error


def test_who_signs_out_leaves_nothing_behind(host: Host, model: ModelServer) -> None:
    host.open(attributes='data-mentor="coach" data-container="#place"')
    host.mentor("setMetadata", {"user": "Alice"})
    host.frame.ask("A secret")
    host.mentor("forget")
    expect(host.frame.frame.locator("#transcript > *")).to_have_count(0)
    host.frame.ask("Who am I?")
    assert b"secret" not in model.received[-1] and b"Alice" not in model.received[-1]
    host.mentor("newChat")
    kept = "() => JSON.stringify(localStorage) + JSON.stringify(sessionStorage)"
    assert "secret" not in host.frame.frame.evaluate(kept)


def test_what_is_said_after_forget_stays_though_no_frame_was_there_yet(
    host: Host, model: ModelServer
) -> None:
    before = (
        "<script>Mentor('setMetadata', {old: 1}); Mentor('forget'); Mentor('setMetadata', {now: 2});</script>"
    )
    host.open(before=before, attributes=IN_PLACE)
    host.frame.ask("What do you know?")
    assert "now: 2" in prompts(model)[-1] and "old" not in prompts(model)[-1]


IN_PLACE = 'data-mentor="coach" data-container="#place"'


def test_page_and_frame_greet_each_other_once(host: Host) -> None:
    before = """<script>
      window.greetings = 0;
      addEventListener('message', ({data}) => { greetings += data.type === 'mentor:ready'; });
    </script>"""
    host.open(before=before, attributes=IN_PLACE)
    assert host.mentor("setMetadata", {"a": 1})["applied"] is True
    host.page.wait_for_timeout(300)
    assert host.page.evaluate("() => greetings") == 2  # the frame's own, and its answer to the page's


# What each call of a script comes to, or "never".
WAIT = """const settled = async (promise) => {
  const late = new Promise((resolve) => setTimeout(resolve, 2000, 'never'));
  return JSON.parse(JSON.stringify((await Promise.race([promise, late])) ?? null));
};"""
NO_CHANGE = {"applied": True, "version": 0, "pending": True, "warnings": [], "changed": False}
REPLACED = {"applied": False, "version": None, "changed": False, "warnings": [], "replaced": True}


def test_null_changes_nothing_before_the_frame_is_there(host: Host, model: ModelServer) -> None:
    before = "<script>Mentor('setMetadata', {stateCode: 'CA'}); Mentor('setMetadata', null);</script>"
    host.open(before=before, attributes=IN_PLACE)
    host.frame.ask("Where am I?")
    assert "stateCode: CA" in prompts(model)[-1]


def test_null_settles_and_leaves_what_waits_for_a_message(host: Host) -> None:
    host.open(attributes=IN_PLACE)
    script = f"""async () => {{ {WAIT}
      window.first = Mentor('setMetadata', {{a: 1}}).then(({{stored}}) => stored);
      return settled(Mentor('setMetadata', null).then(({{stored}}) => stored));
    }}"""
    assert host.page.evaluate(script) == NO_CHANGE
    host.frame.ask("Now?")
    assert host.page.evaluate("() => first") == {
        "applied": True,
        "version": 1,
        "changed": True,
        "warnings": [],
    }


@pytest.mark.parametrize(
    "then", ["Mentor('start')", "Mentor('setMetadata', {now: 1})"], ids=["start", "what is known"]
)
def test_what_is_replaced_by_something_that_waits_for_no_message_settles(host: Host, then: str) -> None:
    host.open(attributes=IN_PLACE)
    host.mentor("setMetadata", {"now": 1})
    host.frame.ask("Hello?")
    script = f"""async () => {{ {WAIT}
      const {{stored}} = await Mentor('setMetadata', {{now: 2}});
      await {then};
      return settled(stored);
    }}"""
    assert host.page.evaluate(script) == REPLACED


@pytest.mark.parametrize(
    "early",
    [
        "Mentor('setMetadata', {told: () => 1})",
        "Mentor('setPageContent', () => document.querySelector('#none').innerText)",
    ],
    ids=["metadata", "page"],
)
def test_a_page_that_says_what_cannot_be_said_is_heard_all_the_same(host: Host, early: str) -> None:
    before = f"<script>window.said = {early}; window.ready = new Promise((go) => Mentor('on', 'ready', go));</script>"
    host.open(before=before, attributes=IN_PLACE)
    told = host.page.evaluate(f"async () => {{ {WAIT} return [await settled(said), await settled(ready)]; }}")
    assert "never" not in told
    assert told[0] is None or told[0]["warnings"][0]["code"] == "invalid_metadata"
    assert host.mentor("setMetadata", {"a": 1})["pending"] is True


def test_metadata_is_what_it_was_when_it_was_said(host: Host, model: ModelServer) -> None:
    host.open(attributes=IN_PLACE)
    script = """async () => {
      const state = {stateCode: 'CA'};
      await Mentor('setMetadata', state);
      state.stateCode = 'NY';
      const loadedAgain = new Promise((resolve) => addEventListener('message', ({data}) => {
        if (data.type === 'mentor:context-ack') resolve();
      }));
      const iframe = document.querySelector('iframe');
      iframe.src = iframe.src;
      await loadedAgain;
    }"""
    host.page.evaluate(script)
    host.frame.ask("Where am I?")
    assert "stateCode: CA" in prompts(model)[-1]


def test_whoever_speaks_to_a_mentor_that_was_destroyed_is_answered(host: Host) -> None:
    host.open(attributes=IN_PLACE)
    script = f"""async () => {{ {WAIT}
      const mentor = await Mentor('init');
      await Mentor('destroy');
      return [await settled(mentor.setMetadata({{a: 1}})), await settled(mentor.start({{a: 1}}))];
    }}"""
    one, other = host.page.evaluate(script)
    assert one == other == {**REPLACED, "pending": False, "stored": {}}


def test_what_is_said_after_a_failed_init_waits_for_the_next(host: Host) -> None:
    host.open(attributes=IN_PLACE)
    script = f"""async () => {{ {WAIT}
      await Mentor('init', {{container: '#no'}}).catch(() => {{}});
      const said = Mentor('setMetadata', {{a: 1}});
      await Mentor('init');
      return settled(said);
    }}"""
    assert host.page.evaluate(script)["pending"] is True


def test_start_is_an_init_where_there_was_none(host: Host, page: Page, web: Web, school: Site) -> None:
    script = f"""<script type="module">
      import {{ configure, Mentor }} from '{web.url}/static/sdk/index.js';
      configure({{tenant: 'school', mentor: 'coach', container: '#place'}});
      window.told = Mentor('start', null, {{plan: 'free'}});
    </script>"""
    page.goto(school.put("/start", PAGE % script))
    assert page.evaluate("async () => (await told).applied") is True


def test_a_bubble_that_was_destroyed_before_there_was_a_body_never_appears(
    page: Page, web: Web, school: Site
) -> None:
    page.goto(school.put("/bare", PAGE % ""))
    script = """async (url) => {
      const { create } = await import(`${url}/static/sdk/index.js`);
      const body = document.body;
      body.remove();
      const [first, second] = [0, 1].map(() => create({tenant: 'school', mentor: 'coach'}));
      first.destroy();
      document.documentElement.append(body);
      dispatchEvent(new Event('DOMContentLoaded'));
      return [first, second].map(({host}) => host.isConnected);
    }"""
    assert page.evaluate(script, web.url) == [False, True]


def test_a_listener_that_throws_is_the_pages_own_affair(host: Host, complaints: list[str]) -> None:
    host.open(attributes=IN_PLACE)
    host.mentor("setMetadata", {})
    script = "async () => typeof await Mentor('on', 'ready', () => { throw new Error('mine'); })"
    assert host.page.evaluate(script) == "function"
    host.page.wait_for_timeout(100)
    assert complaints.pop() == "mine"
