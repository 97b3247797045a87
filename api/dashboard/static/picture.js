// "Save as PNG": draws a picture of this server on a canvas, twice as large, and hands it over as a file.
// Without this script the button stays hidden, and the picture can be saved as SVG.
(function () {
  "use strict";

  var SCALE = 2;
  var status = document.querySelector("[data-picture-status]");

  function say(text) {
    if (status) status.textContent = text;
  }

  function hand(blob, name) {
    if (!blob) return say("The picture could not be made. Save it as SVG instead.");
    var link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = name;
    document.body.appendChild(link);
    link.click();
    link.remove();
    setTimeout(function () { URL.revokeObjectURL(link.href); }, 10000);
    say("Saved as " + name + ".");
  }

  function save(button) {
    var image = new Image();
    say("Drawing …");
    image.onload = function () {
      var canvas = document.createElement("canvas");
      canvas.width = image.naturalWidth * SCALE;
      canvas.height = image.naturalHeight * SCALE;
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(function (blob) { hand(blob, button.dataset.name); }, "image/png");
    };
    image.onerror = function () { say("The picture could not be loaded. Sign in again, or save it as SVG."); };
    image.src = button.dataset.picture;
  }

  document.querySelectorAll("[data-picture]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () { save(button); });
  });
})();
