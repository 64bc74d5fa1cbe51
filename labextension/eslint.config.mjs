import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['lib/**', 'node_modules/**', '*.js', 'src/openapi.ts'] },
  ...tseslint.configs.recommended,
  {
    files: ['src/**/*.ts', 'src/**/*.tsx'],
    rules: {
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none' }],
      complexity: ['error', 12],
      curly: 'error',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'max-len': ['error', { code: 120, ignoreTemplateLiterals: true }],
      'max-lines': ['error', 300],
      'max-lines-per-function': ['error', { max: 50, IIFEs: true }],
      'no-console': 'error',
      'prefer-const': 'error'
    }
  },
  { files: ['src/__tests__/**'], rules: { 'max-lines-per-function': 'off' } }
);
