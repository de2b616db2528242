-- Uses KEYS[1] and KEYS[2], and not KEYS[3].
return { KEYS[1], KEYS[2] }
