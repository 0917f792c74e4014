/* Where undo and redo lead, worked out from the versions as the server does it: a turn goes on the line after the place
   where the app stands, a restore moves along the line or, when its tree has left it, is put on it. Pure. */

/** {undo, redo}: numbers of the versions they would restore, or null. `versions` in any order. */
export function targets(versions) {
  const line = [];
  const origins = new Map();
  let place = -1;
  for (const version of [...versions].sort((a, b) => a.number - b.number)) {
    const repeats = version.restores ?? null;
    const origin = repeats === null ? version.number : (origins.get(repeats) ?? repeats);
    origins.set(version.number, origin);
    const known = line.indexOf(origin);
    if (repeats !== null && known >= 0) place = known;
    else {
      line.splice(place + 1, Infinity, origin);
      place = line.length - 1;
    }
  }
  return { undo: line[place - 1] ?? null, redo: line[place + 1] ?? null };
}
