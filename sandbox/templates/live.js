// Brings the page up to date where it differs from what the server has, and leaves the rest as it is: the place, the
// focus, what was typed, and what is folded open.
function bring(old, now) {
  if (old.isEqualNode(now)) return;
  if (old.nodeName !== now.nodeName) return old.replaceWith(now);
  if (old.nodeType !== Node.ELEMENT_NODE) return void (old.data = now.data);
  for (const { name } of [...old.attributes]) if (name !== "open" && !now.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of now.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  const [before, after] = [[...old.childNodes], [...now.childNodes]];
  after.forEach((node, at) => (before[at] ? bring(before[at], node) : old.append(node)));
  before.slice(after.length).forEach((node) => node.remove());
}

let latest = 0;
// An answer that was overtaken by a later one is old.
async function load(address, options) {
  const mine = ++latest;
  const page = await (await fetch(address, options)).text();
  if (mine !== latest) return;
  bring(document.querySelector("main"), new DOMParser().parseFromString(page, "text/html").querySelector("main"));
}

document.addEventListener("submit", (event) => {
  const { target: form, submitter } = event;
  if (form.hasAttribute("data-leaves")) return;
  event.preventDefault();
  submitter.setAttribute("aria-busy", "true");
  const body = new URLSearchParams(new FormData(form, submitter));
  load(form.getAttribute("action"), { method: "POST", body }).catch(() => location.reload());
});

setInterval(() => {
  if (!document.hidden && !document.querySelector("[aria-busy]")) load(location.href).catch(() => {});
}, 2000);
