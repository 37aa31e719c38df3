/** Metadata to try, by words that a mentor's slug contains; a host application sends its own. */

const SETS = {
  licens: {
    'Health, California': {
      productGroup: 'LICENSING', productLevel: 'LH', productLevelDisplay: 'Life & Health',
      stateCode: 'CA', name: 'Health',
    },
    'Property, New York': {
      productGroup: 'LICENSING', productLevel: 'PC', productLevelDisplay: 'Property & Casualty',
      stateCode: 'NY', name: 'Property',
    },
  },
  math: {
    'Algebra, grade 10': {
      gradeLevel: 10, subject: 'Algebra', unit: 'Quadratic equations', standard: 'CCSS HSA-REI.B.4', showSteps: true,
    },
    'Fractions, grade 5': {
      gradeLevel: 5, subject: 'Fractions', unit: 'Adding unlike fractions', standard: 'CCSS 5.NF.A.1',
    },
  },
};

const ANY = { 'A course page': { page: 'Lesson 3', course: 'Introduction', language: 'en-GB' } };

/** [[label, metadata], …] */
export function examplesFor(slug) {
  const word = Object.keys(SETS).find((part) => slug.includes(part));
  return Object.entries(SETS[word] ?? ANY);
}
