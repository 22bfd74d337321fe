// Before all else, in the plainest JavaScript: whatever keeps the page's program from starting is said, not swallowed.
(function () {
  function show(text) {
    var box = document.getElementById("alert");
    if (!box)
      return document.addEventListener("DOMContentLoaded", function () {
        show(text);
      });
    document.getElementById("alert-text").textContent = text;
    box.hidden = false;
    document.getElementById("alert-close").onclick = function () {
      box.hidden = true;
    };
  }
  addEventListener(
    "error",
    function (event) {
      var source = event.target && event.target.tagName === "SCRIPT";
      if (source && location.protocol === "file:") {
        show(
          "This page was opened as a file, and browsers start no programs from there. Run “make web” and open the address that it prints.",
        );
      } else if (source) {
        show("The page's program could not be loaded. Reload the page; if that does not help, build the site again.");
      } else if (event.message) {
        show(
          "Something went wrong that this page did not expect: " +
            event.message +
            ". It needs a browser of 2023 or later; reload to start again.",
        );
      }
    },
    true,
  );
  addEventListener("unhandledrejection", function (event) {
    show(
      "Something went wrong that this page did not expect: " +
        ((event.reason && event.reason.message) || event.reason) +
        ". Reload to start again.",
    );
  });
})();
