/** A pocket calculator's memory. `shown` is the display, `story` what led to it. */
export type Calculation = { shown: string; story: string; left: number | null; sign: string; fresh: boolean }

export const start: Calculation = { shown: '0', story: '', left: null, sign: '', fresh: true }

const signs: Record<string, (a: number, b: number) => number> = {
  '+': (a, b) => a + b,
  '−': (a, b) => a - b,
  '×': (a, b) => a * b,
  '÷': (a, b) => a / b,
}

function show(value: number): string {
  // Twelve digits hide what binary fractions cannot hold: 0.1 + 0.2 is 0.3.
  return Number.isFinite(value) ? String(Number(value.toPrecision(12))) : 'Error'
}

/** The calculator after one key. */
export function press(state: Calculation, key: string): Calculation {
  if (key === 'C' || (state.shown === 'Error' && key !== '=')) return key === 'C' ? start : press(start, key)
  if (/^\d$/.test(key)) {
    if (state.fresh) return { ...state, shown: key, fresh: false }
    return state.shown.length < 15 ? { ...state, shown: state.shown === '0' ? key : state.shown + key } : state
  }
  if (key === '.') {
    if (state.fresh) return { ...state, shown: '0.', fresh: false }
    return state.shown.includes('.') ? state : { ...state, shown: `${state.shown}.` }
  }
  if (key === '⌫') return state.fresh ? state : { ...state, shown: state.shown.slice(0, -1).replace(/^-?$/, '0') }
  if (key === '±') return { ...state, shown: show(-Number(state.shown)) }
  if (key === '%') return { ...state, shown: show(Number(state.shown) / 100), fresh: true }
  const value = Number(state.shown)
  const waiting = state.left !== null && state.sign !== ''
  if (key === '=') {
    if (!waiting) return { ...state, fresh: true }
    const story = `${show(state.left ?? 0)} ${state.sign} ${show(value)} =`
    return { shown: show(signs[state.sign](state.left ?? 0, value)), story, left: null, sign: '', fresh: true }
  }
  const result = waiting && !state.fresh ? signs[state.sign](state.left ?? 0, value) : value
  if (!Number.isFinite(result)) return { ...start, shown: 'Error' }
  return { shown: show(result), story: `${show(result)} ${key}`, left: result, sign: key, fresh: true }
}
