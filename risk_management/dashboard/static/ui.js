// Preact with htm, in one place.
import { h, render, createContext, Fragment } from "./vendor-preact.js";
import htm from "./vendor-htm.js";
export { useState, useEffect, useLayoutEffect, useRef, useMemo, useCallback } from "./vendor-hooks.js";
export { render, createContext, Fragment, h };
export const html = htm.bind(h);
