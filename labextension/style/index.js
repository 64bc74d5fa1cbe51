import './base.css';
import './jobs.css';
import './small.css';
