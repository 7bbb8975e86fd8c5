// 页面的中文词典。键与其他词典完全相同；花括号处填入内容。用语依照使用指南。
import admin from './zh/admin.js';
import call from './zh/call.js';
import kept from './zh/kept.js';
import page from './zh/page.js';
import paper from './zh/paper.js';
import told from './zh/told.js';

export default { ...page, ...call, ...told, ...kept, ...paper, ...admin };
