#include "data/baselines/rain.h"

#include <regex>

namespace nowcell {

double rain_mm_per_h(const std::string& units, double step_s) {
    static const std::regex pattern(R"((mm|kg m(?:\^|\*\*)?-2|kg/m(?:\^|\*\*)?2)\s*(.*))");
    static const std::regex rate(R"((?:/|per)\s*(s|min|h|d)[a-z]*|(s|min|h|d)[a-z]*\s*(?:\^|\*\*)?\s*-1)");
    std::smatch found;
    if (!std::regex_match(units, found, pattern)) return 0.0;
    const std::string per = found[2];
    if (!std::regex_match(per, found, rate)) return step_s > 0.0 ? 3600.0 / step_s : 1.0;
    const std::string unit = found[1].matched ? found[1] : found[2];
    return unit == "s" ? 3600.0 : unit == "min" ? 60.0 : unit == "d" ? 1.0 / 24.0 : 1.0;
}

}  // namespace nowcell
