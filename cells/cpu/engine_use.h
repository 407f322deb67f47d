// What ran: the answer to "which engine computed my layer, and why not a faster one?".
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace nowcell {

/// One kind of call of a ConvLSTM and what computed it.
struct EngineUse {
    std::string layer;   ///< "3 -> 16, 5x5, batch 2, 64x48"
    std::string engine;  ///< "winograd-fast, avx512, 2 threads" or "reference"
    std::string reason;  ///< why it is the reference, or another algorithm than the one named; often empty
    std::int64_t forward_calls = 0, backward_calls = 0;
};

/// In the order of the first calls of this process; the first few hundred kinds. Safe from any thread.
std::vector<EngineUse> engine_uses();
void forget_engine_uses();

/// What `auto` has chosen so far in this process: names of algorithms by descriptions of problems. A run that is taken
/// up again in another process settles the same choices, so that its numbers are the same to the last bit.
std::map<std::string, std::string> engine_choices();
/// Chooses so from now on; names that this version does not know are left out.
void settle_engine_choices(const std::map<std::string, std::string>& choices);

/// Counts one call.
void note_engine_use(const EngineUse& use, bool backward);

}  // namespace nowcell
