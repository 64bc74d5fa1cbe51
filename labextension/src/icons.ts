import { LabIcon } from '@jupyterlab/ui-components';

const svgstr = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 24 24">
  <path class="jp-icon3" fill="#616161" d="M12 2 3 6v7l9 4 9-4V6zm0 2.2L17.6 6.7 12 9.2 6.4 6.7zM5 8.2l6 2.7v3.5L5
   11.7zm14 0v3.5l-6 2.7v-3.5zM3 16v2l9 4 9-4v-2l-9 4z"/></svg>`;

/** A box on a rack. */
export const containerIcon = new LabIcon({ name: 'jupyter-hpcctr:container', svgstr });

/** The same as an image, in a colour that is seen on light and on dark. */
export const containerCard = `data:image/svg+xml,${encodeURIComponent(svgstr.replace('#616161', '#1976d2'))}`;
