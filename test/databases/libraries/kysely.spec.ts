import { kyselyDriver } from './kysely.js';
import { servesLibrary } from './suite.js';

servesLibrary(kyselyDriver);
