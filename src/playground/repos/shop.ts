import type { Sample } from "./sample.ts";
import { ana, bo } from "./sample.ts";

const money = `// Money is a whole number of cents. Fractions of a cent exist only inside one expression, and are rounded once.

/** Rounds half away from zero: 0.5 becomes 1, and -0.5 becomes -1. */
export function roundCents(cents) {
  return Math.sign(cents) * Math.round(Math.abs(cents));
}

/** 123456 as "$1,234.56". */
export function formatCents(cents) {
  const sign = cents < 0 ? "-" : "";
  const whole = String(Math.floor(Math.abs(cents) / 100)).replace(/(?<=[0-9])(?=([0-9]{3})+$)/g, ",");
  return sign + "$" + whole + "." + String(Math.abs(cents) % 100).padStart(2, "0");
}
`;

const cart = `import { roundCents } from "./money.js";

/** Adds items to a cart; the same article again raises its quantity. Returns a new cart. */
export function addItem(cart, item) {
  if (!Number.isInteger(item.cents) || item.cents < 0) throw new RangeError("a price is a whole number of cents");
  const quantity = item.quantity ?? 1;
  if (!Number.isInteger(quantity) || quantity < 1) throw new RangeError("a quantity is a whole number above zero");
  const known = cart.find((line) => line.sku === item.sku && line.cents === item.cents);
  if (known === undefined) return [...cart, { sku: item.sku, cents: item.cents, quantity }];
  return cart.map((line) => (line === known ? { ...line, quantity: line.quantity + quantity } : line));
}

/** Sum of all lines before discount, tax and shipping. */
export function subtotal(cart) {
  return cart.reduce((sum, line) => sum + line.cents * line.quantity, 0);
}

/**
 * What the customer pays. Tax is on the discounted goods and is rounded once, on the sum: rounding line by line
 * loses a cent on long carts.
 */
export function total(cart, { discountCents = 0, taxRate = 0, shippingCents = 0 } = {}) {
  const goods = Math.max(0, subtotal(cart) - discountCents);
  const tax = roundCents(goods * taxRate);
  return { goods, tax, shipping: shippingCents, pay: goods + tax + shippingCents };
}
`;

const discount = `import { roundCents } from "./money.js";
import { subtotal } from "./cart.js";

const CODES = new Map([
  ["WELCOME10", { percent: 10, fromCents: 0 }],
  ["SPRING25", { percent: 25, fromCents: 10000 }],
]);

/** What a code takes off this cart, in cents; 0 when it is unknown or the cart is too small for it. */
export function discountFor(cart, code) {
  const rule = CODES.get(code.trim().toUpperCase());
  const goods = subtotal(cart);
  if (rule === undefined || goods < rule.fromCents) return 0;
  return roundCents((goods * rule.percent) / 100);
}
`;

const shipping = `import { subtotal } from "./cart.js";

/** From this many cents of goods on, standard shipping is free. */
export const FREE_SHIPPING_CENTS = 5000;
const STANDARD_CENTS = 495;
const EXPRESS_CENTS = 1495;

/** Shipping in cents. Express is never free, and an empty cart ships nothing. */
export function shippingFor(cart, { express = false } = {}) {
  if (cart.length === 0) return 0;
  if (express) return EXPRESS_CENTS;
  return subtotal(cart) >= FREE_SHIPPING_CENTS ? 0 : STANDARD_CENTS;
}
`;

const index = `export { addItem, subtotal, total } from "./cart.js";
export { discountFor } from "./discount.js";
export { formatCents, roundCents } from "./money.js";
export { FREE_SHIPPING_CENTS, shippingFor } from "./shipping.js";
`;

const cartTest = `import assert from "node:assert/strict";
import { test } from "node:test";
import { addItem, subtotal, total } from "@acme/shop";

const tea = { sku: "tea", cents: 799 };
const cup = { sku: "cup", cents: 1250 };

test("the same article twice is one line", () => {
  const cart = addItem(addItem([], tea), { ...tea, quantity: 2 });
  assert.deepEqual(cart, [{ sku: "tea", cents: 799, quantity: 3 }]);
});

test("the subtotal counts quantities", () => {
  assert.equal(subtotal(addItem(addItem([], { ...tea, quantity: 2 }), cup)), 2848);
});

test("tax is rounded once, on the sum", () => {
  const cart = addItem([], { sku: "pin", cents: 333, quantity: 3 });
  assert.deepEqual(total(cart, { taxRate: 0.19 }), { goods: 999, tax: 190, shipping: 0, pay: 1189 });
});

test("a discount never makes the price negative", () => {
  assert.equal(total(addItem([], tea), { discountCents: 5000, taxRate: 0.19 }).pay, 0);
});

test("a price that is no whole number of cents is refused", () => {
  assert.throws(() => addItem([], { sku: "x", cents: 1.5 }), RangeError);
  assert.throws(() => addItem([], { sku: "x", cents: 100, quantity: 0 }), RangeError);
});
`;

const moneyTest = `import assert from "node:assert/strict";
import { test } from "node:test";
import { formatCents, roundCents } from "@acme/shop";

test("halves round away from zero", () => {
  assert.deepEqual([0.5, 1.4, 1.5, -0.5, -1.5].map(roundCents), [1, 1, 2, -1, -2]);
});

test("money is written with two decimals and thousands", () => {
  assert.deepEqual([5, 123456, -1999, 100000000].map(formatCents), ["$0.05", "$1,234.56", "-$19.99", "$1,000,000.00"]);
});
`;

const ruleTests = `import assert from "node:assert/strict";
import { test } from "node:test";
import { addItem, discountFor, shippingFor } from "@acme/shop";

const cartOf = (cents) => addItem([], { sku: "thing", cents });

test("a code is found whatever its case", () => {
  assert.equal(discountFor(cartOf(2000), " welcome10 "), 200);
});

test("a code with a minimum waits for it", () => {
  assert.equal(discountFor(cartOf(9999), "SPRING25"), 0);
  assert.equal(discountFor(cartOf(10000), "SPRING25"), 2500);
});

test("an unknown code takes nothing off", () => {
  assert.equal(discountFor(cartOf(2000), "NOPE"), 0);
});

test("standard shipping is free from 50 dollars on", () => {
  assert.equal(shippingFor(cartOf(4999)), 495);
  assert.equal(shippingFor(cartOf(5000)), 0);
});

test("express is never free, and an empty cart ships nothing", () => {
  assert.equal(shippingFor(cartOf(9000), { express: true }), 1495);
  assert.equal(shippingFor([]), 0);
});
`;

const readme = `# Shop

Cart totals for the Acme shop: items, discounts, tax and shipping. No dependencies.

    import { addItem, total } from "@acme/shop";

    const cart = addItem([], { sku: "tea", cents: 799, quantity: 2 });
    total(cart, { taxRate: 0.19 }).pay; // 1902

All amounts are whole cents. Tax is rounded once, on the sum.

## Work on it

    npm test

Standard shipping costs $4.95 and is free from $50.00 on. Express costs $14.95.
`;

const manifest = `{
  "name": "@acme/shop",
  "version": "1.4.0",
  "description": "Cart totals for the Acme shop.",
  "private": true,
  "type": "module",
  "exports": "./src/index.js",
  "scripts": {
    "test": "node --test"
  },
  "engines": {
    "node": ">=20"
  }
}
`;

const workflow = `name: ci
on: [push, pull_request]
permissions:
  contents: read
jobs:
  test:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 24
      - run: npm test
`;

/** A small library with tests: what the payments team works on. */
export const shop: Sample = {
  name: "acme/shop",
  defaultBranch: "main",
  description: "Cart totals for the Acme shop",
  commits: [
    {
      message: "Carts and money",
      author: ana,
      at: "2026-03-02T09:12:00Z",
      files: {
        "README.md": readme,
        "package.json": manifest,
        ".gitignore": "node_modules/\n",
        "src/index.js": `export { addItem, subtotal, total } from "./cart.js";
export { formatCents, roundCents } from "./money.js";
`,
        "src/cart.js": cart,
        "src/money.js": money,
        "test/cart.test.js": cartTest,
        "test/money.test.js": moneyTest,
      },
    },
    {
      message: "Discount codes and shipping",
      author: bo,
      at: "2026-03-09T14:40:00Z",
      files: {
        "src/index.js": index,
        "src/discount.js": discount,
        "src/shipping.js": shipping,
        "test/rules.test.js": ruleTests,
      },
    },
    {
      message: "Run the tests on every push",
      author: bo,
      at: "2026-03-10T08:05:00Z",
      files: { ".github/workflows/ci.yml": workflow, ".github/CODEOWNERS": "/src/ @acme/payments-leads\n" },
    },
  ],
};
