/** The version of NestJS that this run of the tests is on: `globals` in jest.config.js and test/nest11/jest.config.js. */
export const NEST_MAJOR = (globalThis as unknown as { readonly NEST_MAJOR: number }).NEST_MAJOR;
