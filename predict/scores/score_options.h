// What to score forecasts by. Free of LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace nowcell {

struct ScoreOptions {
    std::string dialect = "standard";  ///< "standard" | "openstl" | "hko7" | "sevir" | "pysteps"
    std::vector<std::string> metrics =
        {};                               ///< families by name, such as "mae", "ssim", "csi"; empty: the dialect's own
    std::vector<double> thresholds = {};  ///< physical units; empty: those of the dialect, else no contingency scores
    std::vector<std::int64_t> fss_scales = {1, 2, 4, 8, 16, 32};  ///< sides of the windows of FSS, px
    std::vector<std::int64_t> csi_pools = {4, 16};                ///< sides of the blocks of pooled CSI, px
    double min = 0.0;         ///< physical value of what SSIM, PSNR and the dialects on 0..1 call 0
    double max = 1.0;         ///< likewise 1
    std::string units = "1";  ///< of the data; only "hko7" looks at them
};

}  // namespace nowcell
