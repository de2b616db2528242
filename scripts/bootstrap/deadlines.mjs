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

/** The file whose beforeAll failed: what it was to prepare is missing in all of its tests, which would only wait for it. */
let unprepared;
const thisFile = () => globalThis.expect.getState().testPath;

const prepared = (work) =>
  function test(...args) {
    if (unprepared === thisFile()) throw new Error('not run: a beforeAll failed');
    return work(...args);
  };

const preparing = (work) =>
  async function prepare() {
    try {
      await work();
    } catch (error) {
      unprepared = thisFile();
      throw error;
    }
  };

const limitedTest = (test) => (name, work, ms) => test(name, within(prepared(work), ms));
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
const { beforeAll } = globalThis;
globalThis.beforeAll = (work, ms) => beforeAll(preparing(within(work, ms)));
for (const name of ['beforeEach', 'afterEach', 'afterAll']) globalThis[name] = limitedHook(globalThis[name]);
