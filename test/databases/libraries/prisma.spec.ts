import { prismaDriver } from './prisma.js';
import { servesLibrary } from './suite.js';

servesLibrary(prismaDriver);
