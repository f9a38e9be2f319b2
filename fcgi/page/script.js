// Comfort only: every page is whole without it. Buttons that copy, dates said as one says them, and lists that
// follow what is typed.
"use strict";
(() => {
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const addCopy = (box) => {
    const code = box.querySelector("code");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        getSelection().selectAllChildren(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    box.append(button);
  };
  const sayAge = (time) => {
    const age = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const unit = units.find(([, seconds]) => Math.abs(age) >= seconds);
    time.title = time.textContent + " UTC";
    time.textContent = unit ? words.format(Math.trunc(age / unit[1]), unit[0]) : "just now";
  };
  const comfort = (part) => {
    part.querySelectorAll(".copy").forEach(addCopy);
    part.querySelectorAll("time[datetime]").forEach(sayAge);
  };
  comfort(document);

  // Where the list of repositories is shown, what is typed is asked for as the form would, a moment later.
  const main = document.querySelector("main");
  const nav = document.querySelector("header nav");
  const box = document.querySelector("#q");
  if (!box || location.pathname !== new URL(box.form.action).pathname) {
    return;
  }
  const said = document.createElement("div"); // to who does not see that the list has changed
  said.className = "hidden";
  said.setAttribute("role", "status");
  box.form.append(said);
  let pause;
  let asked;
  const search = async () => {
    const url = new URL(box.form.action);
    asked?.abort();
    asked = new AbortController();
    if (box.value) {
      url.searchParams.set("q", box.value);
    }
    try {
      const answer = await fetch(url, { headers: { Accept: "text/html" }, signal: asked.signal });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const found = page.querySelector("main");
      if (answer.redirected || answer.status === 401 || answer.status === 403) {
        location.assign(url); // whoever has to log in is told so as by the form
        return;
      }
      if (!answer.ok || !found) {
        return;
      }
      main.replaceChildren(...found.childNodes);
      nav.replaceChildren(...page.querySelector("header nav").childNodes); // whose list it is: a log-in may have ended
      comfort(main);
      document.title = page.title;
      history.replaceState(null, "", url);
      said.textContent = main.querySelector(".lead")?.textContent ?? "";
    } catch {
      // Aborted by the next letter, or nobody answers: then the form still works.
    }
  };
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(search, 200);
  });
  box.form.addEventListener("submit", () => {
    clearTimeout(pause);
    asked?.abort();
  });
})();
