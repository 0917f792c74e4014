/** Is localStorage usable? In a cross-site frame the mere access can throw. */
export function storageWorks(): boolean {
  try {
    const key = '__probe__'
    window.localStorage.setItem(key, '1')
    window.localStorage.removeItem(key)
    return true
  } catch {
    return false
  }
}
