// Drives a browser that already runs, by puppeteer-core: a JSON command on each line of standard input, a JSON answer on
// each line of standard output.
//
//   node drive.mjs FOLDER-OF-NODE_MODULES cdp|webDriverBiDi ws://… SECONDS

import {createRequire} from 'node:module';
import readline from 'node:readline';

const [modules, protocol, browserWSEndpoint, seconds] = process.argv.slice(2);
const puppeteer = createRequire(`${modules}/`)('puppeteer-core');
const timeout = Number(seconds) * 1000;

const browser = await puppeteer.connect({
  browserWSEndpoint,
  protocol,
  protocolTimeout: timeout,
  defaultViewport: {width: 800, height: 400},
});

const commands = {
  // Each in a tab of its own, which is closed again. `fresh`: in a private window that knows nothing of earlier ones.
  async open({url, screenshot, fresh}) {
    const context = fresh ? await browser.createBrowserContext() : browser.defaultBrowserContext();
    const page = await context.newPage();
    try {
      const response = await page.goto(url, {timeout, waitUntil: 'load'});
      if (screenshot) await page.screenshot({path: screenshot});
      const text = await page.evaluate(() => document.body.innerText);
      // In ms, from the start of the navigation to the end of the load event
      const load = await page.evaluate(() => performance.getEntriesByType('navigation')[0].duration);
      return {url: page.url(), status: response?.status() ?? null, text, load};
    } finally {
      await (fresh ? context.close() : page.close());
    }
  },
  async close() {
    await browser.close();
    return {};
  },
};

for await (const line of readline.createInterface({input: process.stdin})) {
  const {command, ...options} = JSON.parse(line);
  let answer;
  try {
    answer = await commands[command](options);
  } catch (error) {
    answer = {error: `${error.name}: ${error.message}`};
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
  if (command === 'close') break;
}
process.exit(0);
