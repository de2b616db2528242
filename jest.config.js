/**
 * Unit and property tests stand beside the code; whole systems in test/. Real Redis and sockets in both. They run as they
 * are built, in plain Node, in two threads: what one file loaded the next one has, which is most of the work of a short one.
 */
export default {
  runner: 'jest-light-runner',
  roots: ['<rootDir>/dist/libs', '<rootDir>/dist/apps', '<rootDir>/dist/bench', '<rootDir>/dist/test'],
  testMatch: ['**/*.spec.js'],
  transform: {},
  setupFilesAfterEnv: ['<rootDir>/scripts/bootstrap/deadlines.mjs'],
  maxWorkers: 2,
};
