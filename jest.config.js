/** Unit and property tests stand beside the code; whole systems in test/. Real Redis and sockets in both. */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/bench', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': ['@swc/jest'] },
  moduleNameMapper: {
    '^#usher/(.*)$': '<rootDir>/libs/$1/src/index.ts',
    '^(\\.{1,2}/.*)\\.js$': '$1',
  },
  // A deadline for what hangs, no measure: whole clusters start on two cores that others use, too.
  testTimeout: 120_000,
  // Modules of the files before stay in memory: a new worker is cheaper than to collect them.
  workerIdleMemoryLimit: '600MB',
  maxWorkers: 2,
};
