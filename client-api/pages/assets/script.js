// Comfort alone: every page works without it.
"use strict";
for (const form of document.forms)
    form.addEventListener("submit", (event) => {
        if (form.dataset.sent) event.preventDefault(); // one press is enough
        form.dataset.sent = "yes";
    });
addEventListener("pageshow", () => {
    for (const form of document.forms) delete form.dataset.sent; // back from the next page
});
document.querySelector('[role="alert"]')?.scrollIntoView({ block: "nearest" });
if (document.getElementById("auth-done")) { // the client waits for it (Client-Server API, "Fallback")
    if (window.onAuthDone) window.onAuthDone();
    else window.opener?.postMessage("authDone", "*");
}
