import { drizzleDriver } from './drizzle.js';
import { servesLibrary } from './suite.js';

servesLibrary(drizzleDriver);
