"""The page's forms behind every web server: bodies, cookies and the headers that tell where a form was sent from arrive."""
import pytest

from harness.browser import Browser
from harness.pages import page_of


@pytest.mark.httpd
@pytest.mark.httpd_cgi
def test_a_form_arrives_as_it_was_sent_and_leads_on(client, repository):
    _, digest = repository.push_image("v1")
    browser = Browser(client)
    for what, shown, location in [("delete", f"/{repository.name}:v1?show=delete", f"/{repository.name}?done=deleted"),
                                  ("restore", f"/{repository.name}?show=trash", f"/{repository.name}:v1?done=restored")]:
        form = browser.forms(shown)[f"/{repository.name}:v1?show={what}"]
        for headers in ({}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
            answer = browser.send(form, headers)
            assert answer.status == 403 and "another site" in page_of(answer).words, answer
        answer = browser.send(form, {"Origin": f"http://{client.authority}"})
        assert (answer.status, answer["Location"], answer.body) == (303, location, b""), answer
        assert client.exists(repository.manifest("v1")).status == (404 if what == "delete" else 200)
    assert client.get(repository.manifest("v1"))["Docker-Content-Digest"] == digest
