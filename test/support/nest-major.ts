/** The version of NestJS that this run of the tests is on: `globals` in jest.config.js and in test/nest11…/jest.config.js. */
export const { NEST_VERSION } = globalThis as unknown as { readonly NEST_VERSION: string };

export const NEST_MAJOR = Number.parseInt(NEST_VERSION);
