/**
 * The page's element of that id; the page has all that are asked for.
 * @param {string} id
 * @returns {any}
 */
export const place = (id) => document.getElementById(id);

/** The value of the chosen radio button. @param {string} name @returns {string} */
export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`).value;

/** Call with the value whenever another radio button is chosen. */
export function onChoice(name, react) {
  for (const input of document.querySelectorAll(`input[name="${name}"]`))
    input.addEventListener("change", () => react(input.value));
}

/** A file chooser behind a button. @param {string} button @param {string} input @param {(files: File[]) => void} react */
export function onFiles(button, input, react) {
  place(button).addEventListener("click", () => place(input).click());
  place(input).addEventListener("change", () => {
    const files = [...place(input).files];
    place(input).value = "";
    if (files.length) react(files);
  });
}
