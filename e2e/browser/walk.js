// Looks at the product in a browser, as a merchant does. Walks the sandbox from its start page over the consent to the
// confirmation, on a computer and inside WeChat; and opens every page that `cargo test` writes to target/pages: axe-core
// finds nothing of level A or AA, no line begins with punctuation, and what the pointer is over stays readable.
//
// usage: node walk.js BROWSER SANDBOX PAGES
"use strict";

const { spawn } = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const { chromium } = require("playwright-core");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const [browserPath, sandboxPath, pages] = process.argv.slice(2);

const LEVELS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"];
const WIDTHS = { from: 280, to: 480 };
const IN_WECHAT = {
  userAgent:
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 MicroMessenger/8.0.50",
  viewport: { width: 390, height: 740 },
  isMobile: true,
  hasTouch: true,
};
const ON_PC = {
  userAgent: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140 Safari/537.36",
  viewport: { width: 1280, height: 800 },
};
const PICTURE =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1" fill="#888"/></svg>';

let shown = 0;

function expect(holds, fact, found) {
  if (!holds) throw new Error(`not so: ${fact}${found === undefined ? "" : ` (${found})`}`);
  shown += 1;
  console.log(`  ${fact}`);
}

// A context in which the pictures of others are there, for nothing leaves this machine.
async function open(browser, options) {
  const context = await browser.newContext(options);
  await context.route(/^https:\/\/(wx\.qlogo\.cn|cdn\.example\.com)\//, (route) =>
    route.fulfill({ contentType: "image/svg+xml", body: PICTURE }),
  );
  const page = await context.newPage();
  page.setDefaultTimeout(30_000);
  page.refused = [];
  page.on("console", (line) => {
    if (line.text().includes("Content Security Policy")) page.refused.push(line.text());
  });
  return page;
}

async function violations(page, options, element) {
  await page.evaluate(`window.axe ?? (() => { ${axe} })()`);
  const found = await page.evaluate(
    async ([options, element]) => (await axe.run(element ?? document, options)).violations,
    [options, element],
  );
  return found.map((rule) => `${rule.id}: ${rule.nodes.map((node) => node.html).join(" ")}`);
}

const levels = { runOnly: { type: "tag", values: LEVELS } };
const contrast = { runOnly: { type: "rule", values: ["color-contrast"] } };

async function checkAccessible(page, name) {
  const found = await violations(page, levels);
  if (found.length) throw new Error(`${name}: ${found.join("\n")}`);
}

// Moves the pointer over everything that can be pressed. What looks the same is tried once.
async function checkHover(page, name) {
  const seen = new Set();
  for (const element of await page.locator("a:visible, button:visible, summary:visible").all()) {
    const kind = await element.evaluate((e) => `${e.tagName} ${e.className} ${e.getAttribute("aria-pressed")}`);
    if (seen.has(kind)) continue;
    seen.add(kind);
    await element.hover();
    await element.evaluate((e) => (window.hovered = e));
    await page.evaluate(`window.axe ?? (() => { ${axe} })()`);
    const found = await page.evaluate(async (options) => (await axe.run(window.hovered, options)).violations, contrast);
    if (found.length) throw new Error(`${name}, with the pointer over ${kind}: ${found[0].nodes[0].failureSummary}`);
  }
  return seen.size;
}

// The places where a line begins with punctuation that belongs to what stands before it. Below 600 px the body's width is
// all that the layout depends on, so the viewport stays as it is.
function lineStarts({ from, to }) {
  const closing = /[，。、；：！？）」』》”’…·,.;:!?)\]}%]/;
  const found = [];
  const body = document.body;
  const texts = document.createTreeWalker(body, NodeFilter.SHOW_TEXT);
  const marks = [];
  let before = null;
  while (texts.nextNode()) {
    const node = texts.currentNode;
    for (let at = 0; at < node.length; at += 1) {
      if (/\s/.test(node.data[at])) continue;
      const range = document.createRange();
      range.setStart(node, at);
      range.setEnd(node, at + 1);
      const block = node.parentElement.closest("p, h1, li, figcaption, summary, code, a.button");
      if (before && before.block === block && closing.test(node.data[at])) {
        marks.push({ mark: range, last: before.range, text: node.data });
      }
      before = { range, block };
    }
  }
  for (let width = from; width <= to; width += 1) {
    body.style.width = `${width}px`;
    for (const { mark, last, text } of marks) {
      const [here] = mark.getClientRects();
      const there = [...last.getClientRects()].pop();
      if (here && there && here.top >= there.bottom - 1) found.push(`${width} px: ${text}`);
    }
    const wide = document.scrollingElement.scrollWidth > Math.max(width, innerWidth);
    if (wide) found.push(`${width} px: wider than that`);
  }
  body.style.width = "";
  return { found, marks: marks.length };
}

async function checkPages(browser) {
  const files = fs.readdirSync(pages).filter((file) => file.endsWith(".html")).sort();
  expect(files.length >= 60, "the tests have written the pages", files.length);
  let marks = 0;
  for (const colorScheme of ["light", "dark"]) {
    const page = await open(browser, { viewport: { width: 480, height: 800 }, colorScheme });
    await page.route("https://pages.example.com/*", (route) => {
      const file = path.join(pages, path.basename(new URL(route.request().url()).pathname));
      return route.fulfill({ contentType: "text/html; charset=utf-8", body: fs.readFileSync(file) });
    });
    for (const file of files) {
      await page.goto(`https://pages.example.com/${file}`);
      await checkAccessible(page, `${file}, ${colorScheme}`);
      // The language makes no difference to that.
      if (file.endsWith(".en.html")) await checkHover(page, `${file}, ${colorScheme}`);
      if (colorScheme === "dark") continue;
      const starts = await page.evaluate(lineStarts, WIDTHS);
      if (starts.found.length) throw new Error(`${file}: a line begins with punctuation at ${starts.found[0]}`);
      marks += starts.marks;
    }
    await page.context().close();
  }
  expect(true, `axe-core has nothing against ${files.length} pages in the light and in the dark`);
  expect(true, "what the pointer is over stays readable");
  expect(marks > 500, `no line begins with one of ${marks} marks, at any width from 280 to 480 px`, marks);
}

async function checkFont(browser) {
  const page = await open(browser, { viewport: { width: 390, height: 740 } });
  await page.goto(`file://${path.resolve(pages, "complete.zh-CN.html")}`);
  const size = () => page.evaluate(() => parseFloat(getComputedStyle(document.querySelector(".lead")).fontSize));
  const before = await size();
  await page.evaluate(() => (document.documentElement.style.fontSize = "200%"));
  expect((await size()) === 2 * before, "sizes follow the browser's font setting", before);
  await page.context().close();
}

async function press(page, action) {
  const answer = await page.request.post(`${page.origin}/sandbox`, { form: { action }, maxRedirects: 0 });
  if (answer.status() !== 303) throw new Error(`the sandbox answers ${action} with ${answer.status()}`);
}

async function walkOnPc(browser, origin, scheme) {
  const page = await open(browser, { ...ON_PC, colorScheme: scheme, locale: "zh-CN" });
  await page.goto(`${origin}/`);
  const kinds = await checkHover(page, "the sandbox's start page");
  expect(kinds > 3, `the sandbox's start page stays readable under the pointer, ${scheme}`, kinds);
  await page.click('button[value="launch"]');
  expect(await page.locator("figure svg").isVisible(), "on a computer the launch page has a code for the phone");
  await checkAccessible(page, "the launch page on a computer");
  await page.click("a.button");
  await checkHover(page, "the consent page");
  await page.click("form button");
  await page.waitForURL(/\/callback\?launch=[0-9a-f]{32}$/);
  await page.getByRole("heading", { name: "授权成功" }).waitFor();
  expect(await page.locator(".account img").evaluate((img) => img.complete && img.naturalWidth > 0),
    "the confirmation shows the account with its picture, at an address without the code");
  await checkAccessible(page, "the confirmation on a computer");
  if (page.refused.length) throw new Error(page.refused[0]);
  await page.context().close();
}

// What the sandbox shows whoever tries it, and that a press leaves the page where it is.
async function lookAround(browser, origin, scheme) {
  const options = [ON_PC, IN_WECHAT].map((device) => ({ ...device, colorScheme: scheme }));
  for (const device of options) {
    const page = await open(browser, device);
    for (const address of ["/", "/timeline/0", "/gallery/zh-Hant"]) {
      await page.goto(`${origin}${address}`);
      await checkAccessible(page, `the sandbox's ${address}, ${scheme}`);
      await checkHover(page, `the sandbox's ${address}, ${scheme}`);
      const wide = await page.evaluate(() => document.scrollingElement.scrollWidth - innerWidth);
      if (wide > 0) throw new Error(`the sandbox's ${address} is ${wide} px wider than the screen`);
    }
    await page.context().close();
  }
  expect(true, `the sandbox's pages, a timeline and the gallery too, are accessible on a computer and a phone, ${scheme}`);
}

async function pressAndStay(browser, origin) {
  const page = await open(browser, ON_PC);
  await page.goto(`${origin}/`);
  await page.fill("#own input[name=nick_name]", "茶馆");
  await page.locator("#events summary").first().click();
  const button = page.locator('#faults button[value="busy-once"]');
  await button.scrollIntoViewIfNeeded();
  const place = () => page.evaluate(() => scrollY);
  const before = await place();
  await button.click();
  await page.locator("#faults .planned").waitFor();
  const typed = await page.inputValue("#own input[name=nick_name]");
  const unfolded = await page.locator("#events details[open]").count();
  expect(before > 0 && (await place()) === before && typed === "茶馆" && unfolded === 1,
    "after a press the sandbox's page is where it was, with what was typed and unfolded", before);
  page.origin = origin;
  await press(page, "end-faults");
  await page.locator("#faults .planned").waitFor({ state: "detached" });
  expect(true, "what happens elsewhere shows by itself");
  await page.context().close();
}

async function walkInWeChat(browser, origin) {
  const page = await open(browser, { ...IN_WECHAT, locale: "zh-TW" });
  page.origin = origin;
  await press(page, "push-never");
  await press(page, "busy");
  await page.goto(`${origin}/authorize?state=walk`);
  const links = await page.locator("a.button").all();
  expect(links.length === 1 && !(await page.locator("main").innerText()).includes("打開本頁"),
    "inside WeChat the launch page has one button and no word about opening WeChat", links.length);
  await checkAccessible(page, "the launch page inside WeChat");
  let loads = 0;
  page.on("response", (answer) => {
    if (answer.url().includes("/callback?")) loads += 1;
  });
  await page.click("a.button");
  // The second account: the first one has authorized already, and then nothing is new.
  await page.locator("input[name=account]").last().check();
  await page.click("form button");
  await page.getByRole("heading", { name: "正在完成授權" }).waitFor();
  expect(new URL(page.url()).hash === "#wechat_redirect", "the redirect keeps WeChat's fragment", new URL(page.url()).hash);
  await checkAccessible(page, "the page that waits");
  await page.waitForURL(/reloads=1$/);
  expect(loads >= 2 && !page.url().includes("auth_code"), "the page that waits loads itself, at an address without the code");
  await press(page, "end-faults");
  await press(page, "clock-600");
  await page.getByRole("heading", { name: "授權成功" }).waitFor();
  expect(true, "and turns into the confirmation by itself");
  await checkAccessible(page, "the confirmation inside WeChat");
  if (page.refused.length) throw new Error(page.refused[0]);
  await press(page, "push-at-once");
  await page.context().close();
}

async function start() {
  const sandbox = spawn(sandboxPath, ["--port", "0"], { stdio: ["ignore", "pipe", "inherit"] });
  const origin = await new Promise((resolve, reject) => {
    let said = "";
    sandbox.stdout.on("data", (text) => {
      said += text;
      const found = said.match(/Open (http:\/\/\S+?)\/\s/);
      if (found) resolve(found[1]);
    });
    sandbox.once("exit", (code) => reject(new Error(`the sandbox ended with ${code}`)));
    setTimeout(() => reject(new Error("the sandbox does not start")), 60_000).unref();
  });
  return { sandbox, origin };
}

async function main() {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic"],
  });
  const { sandbox, origin } = await start();
  try {
    await walkOnPc(browser, origin, "light");
    await walkOnPc(browser, origin, "dark");
    await lookAround(browser, origin, "light");
    await lookAround(browser, origin, "dark");
    await pressAndStay(browser, origin);
    await walkInWeChat(browser, origin);
    await checkFont(browser);
    await checkPages(browser);
  } finally {
    sandbox.removeAllListeners("exit");
    sandbox.kill();
    await browser.close();
  }
  console.log(`${shown} facts`);
}

main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
