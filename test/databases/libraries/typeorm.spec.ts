import { typeormLibrary } from './typeorm.js';
import { servesLibrary } from './suite.js';

servesLibrary(typeormLibrary);
