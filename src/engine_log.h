// What computed the recurrent layers, for the log.
#pragma once

namespace nowcell {

/// Logs each kind of layer that has run since the last call, with its engine: those that a faster one could not take
/// with the reason, the others with -v.
void log_engines();

}  // namespace nowcell
