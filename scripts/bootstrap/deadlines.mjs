/**
 * The runner of the tests knows no deadlines: a test or hook that hangs fails by its name after the time that stands behind
 * it, or this one, ms. A deadline for what hangs, no measure: whole clusters start on two cores that others use, too.
 */
const USUAL = 120_000;

const within = (work, ms = USUAL) =>
  async function limited(...args) {
    let timer;
    const late = new Promise((_, fail) => {
      timer = setTimeout(() => fail(new Error(`it did not end within ${ms} ms`)), ms);
    });
    try {
      return await Promise.race([work(...args), late]);
    } finally {
      clearTimeout(timer);
    }
  };

const limitedTest = (test) => (name, work, ms) => test(name, within(work, ms));
const limitedEach =
  (test) =>
  (...table) =>
    limitedTest(test.each(...table));
const limitedHook = (hook) => (work, ms) => hook(within(work, ms));

const { it, test } = globalThis;
for (const [name, known] of Object.entries({ it, test })) {
  globalThis[name] = Object.assign(limitedTest(known), {
    each: limitedEach(known),
    only: Object.assign(limitedTest(known.only), { each: limitedEach(known.only) }),
    skip: known.skip,
  });
}
for (const name of ['beforeAll', 'beforeEach', 'afterEach', 'afterAll']) {
  globalThis[name] = limitedHook(globalThis[name]);
}
