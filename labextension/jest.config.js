const base = require('@jupyterlab/testing/lib/jest-config')(__dirname);

// JupyterLab's packages and what they bring are ES modules: they are translated, everything else is not.
const modules = [
  '@codemirror',
  '@jupyter',
  '@lumino/',
  '@microsoft',
  '@rjsf',
  'exenv-es6',
  'lib0',
  'lodash-es',
  'nanoid',
  'vscode-ws-jsonrpc',
  'y-protocols',
  'y-websocket',
  'yjs'
].join('|');

module.exports = {
  ...base,
  automock: false,
  coverageReporters: ['text-summary'],
  reporters: ['default'],
  // Nothing is timed: a busy machine is slow, and a test that waits for what does not come says what it saw.
  testTimeout: 120000,
  testRegex: 'src/__tests__/.*\\.spec\\.tsx?$',
  transformIgnorePatterns: [`/node_modules/(?!${modules}).+`]
};
