// The help texts, made from the tables of verbs and keys.
#pragma once

#include "src/verb.h"

#include <string>

namespace nowcell {

std::string help_usage(const Verb& verb);  ///< one line
std::string help_overview();
std::string help_verb(const Verb& verb);

/// "exit-codes", "config", or a verb; empty: the overview. Throws Error(usage) on an unknown topic.
std::string help_topic(const std::string& topic);

/// The documented keys that begin with `prefix`, with type, default and meaning. Throws Error(usage) when none does.
std::string help_keys(const std::string& prefix);

}  // namespace nowcell
