// Comfort only: every page is whole without it. Buttons that copy, and dates said as one says them.
"use strict";
(() => {
  for (const box of document.querySelectorAll(".copy")) {
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
  }
  const units = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60]];
  const words = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  for (const time of document.querySelectorAll("time[datetime]")) {
    const age = (Date.parse(time.dateTime) - Date.now()) / 1000;
    const unit = units.find(([, seconds]) => Math.abs(age) >= seconds);
    time.title = time.textContent + " UTC";
    time.textContent = unit ? words.format(Math.trunc(age / unit[1]), unit[0]) : "just now";
  }
})();
